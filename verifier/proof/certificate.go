package proof

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"

	"github.com/drawbridge-rpc/drawbridge/internal/jwt"
	"github.com/drawbridge-rpc/drawbridge/token"
)

// certificateMethod is the confirmation method of RFC 8705 §3.1.
const certificateMethod = "x5t#S256"

// maxCertificateField bounds a field that a proxy sends, in bytes, before any of it
// is decoded. The certificate of a client takes one or two kilobytes; an Envoy that
// also sends its chain takes several times that.
const maxCertificateField = 32 << 10

// maxQuotedPeer bounds the part of a peer that an error quotes, so that all of the
// error fits into a log even if each byte has to be escaped.
const maxQuotedPeer = 40

// A Certificate checks that the client authenticated in mutual TLS with the
// certificate to which its access token is bound by the confirmation method
// "x5t#S256" (RFC 8705 §3). It implements [token.Binding].
//
// It is immutable, and safe for concurrent use.
type Certificate struct{ proxies []certificateProxy }

var _ token.Binding = (*Certificate)(nil)

// NewCertificate returns a Certificate. If the configuration has faults, the error
// reports all of them; see package fault.
func NewCertificate(config CertificateConfig) (*Certificate, error) {
	proxies, err := config.proxies()
	if err != nil {
		return nil, err
	}
	return &Certificate{proxies}, nil
}

// CheckBinding checks that the SHA-256 hash of the client's certificate, in its DER
// encoding, is the x5t#S256 of the token (RFC 8705 §3.1). The hashes are compared in
// constant time.
//
// The certificate is the one with which the peer authenticated on the connection of
// the request, whether the TLS handshake was a full one or resumed a session. If the
// peer is one of the [CertificateConfig.ClientCertificateProxies], it is the one
// that the field of that proxy holds, and nothing else: the certificate of the
// connection is then that of the proxy itself. Fields that come from other peers are
// not read.
//
// The certificate is not validated: its hash is the binding (RFC 8705 §3). The TLS
// stack that made the handshake has checked that the client holds the key, and decides
// which authorities it trusts, if any. It must request certificates
// (tls.RequestClientCert or stricter). The certificate is not parsed either. A value
// with the right hash is the certificate that the authorization server saw, so a
// parser could only refuse what the TLS stack has accepted.
//
// An error unwraps to [token.ErrInvalid]: the token has no usable x5t#S256, there is
// no certificate, the handshake is not complete (early data of QUIC), the field of a
// proxy is missing, repeated, malformed or longer than 32 KiB, or the certificate is
// another one. If there are proxies, a request whose Peer is not an IP address with a
// port is refused, because the peer could be a proxy. Texts are meant for a log: one
// printable line, without any part of the token or the field.
func (c *Certificate) CheckBinding(_ context.Context, info *token.Info, req token.Request) error {
	_, want, err := confirmedHash(info, certificateMethod)
	if err != nil {
		return fmt.Errorf("%w: %w", token.ErrInvalid, err)
	}
	got, err := c.presented(req)
	if err != nil {
		return fmt.Errorf("%w: no client certificate: %w", token.ErrInvalid, err)
	}
	if subtle.ConstantTimeCompare(got[:], want[:]) == 0 {
		return fmt.Errorf("%w: bound to another client certificate", token.ErrInvalid)
	}
	return nil
}

// A certificateHash is the SHA-256 hash of a certificate in its DER encoding.
type certificateHash [sha256.Size]byte

// presented returns the hash of the client's certificate.
func (c *Certificate) presented(req token.Request) (certificateHash, error) {
	if len(c.proxies) == 0 {
		return connectionCertificate(req.TLS)
	}
	peer, err := netip.ParseAddrPort(req.Peer)
	if err != nil {
		return certificateHash{}, fmt.Errorf("the peer %s is not an IP address with a port, so it cannot be told from a proxy", jwt.Quote(jwt.Clip(req.Peer, maxQuotedPeer)))
	}
	// A prefix has no zone, and does not contain an address with one.
	addr := peer.Addr().Unmap().WithZone("")
	for i := range c.proxies {
		if proxy := &c.proxies[i]; proxy.network.Contains(addr) {
			return proxy.forwardedCertificate(req.Values(proxy.field))
		}
	}
	return connectionCertificate(req.TLS)
}

// connectionCertificate returns the hash of the peer's own certificate.
func connectionCertificate(state *tls.ConnectionState) (certificateHash, error) {
	switch {
	case state == nil:
		return certificateHash{}, errors.New("the connection is not encrypted, or the transport does not expose its TLS state")
	case !state.HandshakeComplete:
		return certificateHash{}, errors.New("the TLS handshake is not complete")
	case len(state.PeerCertificates) == 0:
		return certificateHash{}, errors.New("the peer sent none in the TLS handshake")
	default:
		return sha256.Sum256(state.PeerCertificates[0].Raw), nil
	}
}

// hashBase64 returns the hash of a certificate that is encoded in base64, with any
// line breaks. It reports false if it is not, or is empty.
func hashBase64(encoding *base64.Encoding, text string) (certificateHash, bool) {
	var buffer [2 << 10]byte // of most certificates
	der, err := encoding.AppendDecode(buffer[:0], []byte(text))
	if err != nil || len(der) == 0 {
		return certificateHash{}, false
	}
	return sha256.Sum256(der), true
}
