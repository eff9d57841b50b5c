package proof

import (
	"fmt"
	"net/http"
	"net/netip"

	"github.com/drawbridge-rpc/drawbridge/fault"
)

// The fields in which proxies send the certificate of a client.
const (
	fieldClientCert = "Client-Cert" // RFC 9440
	fieldXFCC       = "X-Forwarded-Client-Cert"
)

// CertificateConfig configures a [Certificate]. The zero value is usable: clients
// connect to this server directly. [NewCertificate] copies the slices; later changes
// have no effect.
type CertificateConfig struct {
	// ClientCertificateProxies are the reverse proxies that terminate TLS for
	// clients, and send on their certificates. Empty means that there are none: the
	// fields are not read, and the certificate is always that of the connection.
	//
	// A client chooses its certificate if it can reach this server from a listed
	// network, or through a proxy that passes on the field of the client. So list the
	// addresses of the proxies and nothing else. Each of them must remove the field
	// from the requests that it receives, or replace it, also on connections without
	// a client certificate (RFC 9440 §2.4). The connections between the proxies and
	// this server must be protected from others (RFC 9440 §4).
	//
	// The TrustedProxies of a drawbridge.Config are another list on purpose. They
	// only choose which URL of a resource is echoed; these proxies vouch for a
	// credential, and not every proxy of that list sets the field.
	ClientCertificateProxies []CertificateProxy
}

// A CertificateProxy is one or more reverse proxies that send the certificate of the
// client in the same way.
type CertificateProxy struct {
	// Networks contain the addresses of the proxies, as this server sees them: those
	// of the last proxy if there are several in a row. Required. A network of all
	// addresses is a fault. IPv4 networks are written as such; an IPv4 peer matches
	// them even if its address was mapped to IPv6. Zones of IPv6 addresses are
	// ignored. Networks of proxies that use different fields must not overlap.
	//
	// The field alone counts for a request from one of these addresses. The
	// certificate of a proxy that authenticates towards this server is never taken
	// for that of the client, so a client at such an address cannot connect directly.
	Networks []netip.Prefix

	// Field is the header field that holds the certificate of the client:
	// "Client-Cert" (RFC 9440), or "X-Forwarded-Client-Cert" as Envoy writes it, in
	// any case. Required. The other one is ignored, because a proxy that does not
	// set it passes on what the client sent.
	//
	// An Envoy must replace the field (forward_client_cert_details SANITIZE_SET),
	// so that it has one element. The modes FORWARD_ONLY and ALWAYS_FORWARD_ONLY let
	// the client write it. The Hash in the element is the SHA-256 hash of the
	// certificate in hexadecimal, and its Cert the certificate as PEM with
	// URL-encoding. One of them is required, and they must agree. Other keys,
	// including Chain, are ignored.
	Field string

	// DangerouslyAcceptAppended accepts several elements in X-Forwarded-Client-Cert,
	// as an Envoy sends them that appends its own to those of the client
	// (APPEND_FORWARD), and takes the last one. By default several are refused.
	//
	// Envoy writes the URIs and DNS names of a client's certificate into the field
	// without quotes. A client whose certificate has a name with a comma or a quote
	// thus ends the element of the proxy and adds one of its own, with the hash of
	// another client's certificate. Set this only if the proxy sends neither URIs nor
	// DNS names (set_current_client_cert_details), or if no authority that it trusts
	// issues such names. A self-signed certificate may have any name.
	DangerouslyAcceptAppended bool
}

// A certificateProxy is how to read the field of the proxies in a network.
type certificateProxy struct {
	network  netip.Prefix
	field    string // in its canonical form
	appended bool

	place string // of the network in the configuration
}

// proxies returns the proxies of the configuration, or all of its faults.
func (c CertificateConfig) proxies() ([]certificateProxy, error) {
	faults := fault.List{Within: "proof: CertificateConfig."}
	var all []certificateProxy
	for i, entry := range c.ClientCertificateProxies {
		place := fmt.Sprintf("ClientCertificateProxies[%d].", i)
		proxy := certificateProxy{field: http.CanonicalHeaderKey(entry.Field), appended: entry.DangerouslyAcceptAppended}
		entry.validate(&faults, place, proxy.field)
		for j, network := range entry.Networks {
			proxy.network, proxy.place = network, fmt.Sprintf("%sNetworks[%d]", place, j)
			proxy.validate(&faults, all)
			all = append(all, proxy)
		}
	}
	if err := faults.Err(); err != nil {
		return nil, err
	}
	return all, nil
}

// validate reports the faults of all but the networks. The field is in its
// canonical form.
func (p CertificateProxy) validate(faults *fault.List, place, field string) {
	if len(p.Networks) == 0 {
		faults.Add(place+"Networks", "", "is required", "list the addresses of the proxies")
	}
	switch {
	case field == "":
		faults.Add(place+"Field", "", "is required", "name the one field that the proxies set, "+fieldClientCert+" or "+fieldXFCC)
	case field != fieldClientCert && field != fieldXFCC:
		faults.Add(place+"Field", p.Field, "is neither "+fieldClientCert+" nor "+fieldXFCC, "")
	case field == fieldClientCert && p.DangerouslyAcceptAppended:
		faults.Add(place+"DangerouslyAcceptAppended", "", "has no effect on "+fieldClientCert+", which has one certificate", "")
	}
}

// validate reports the faults of a network, and a conflict with those before it.
func (p *certificateProxy) validate(faults *fault.List, before []certificateProxy) {
	switch text := p.network.String(); {
	case !p.network.IsValid():
		faults.Add(p.place, "", "is the zero prefix, and means no network", "")
		return
	case p.network.Addr().Is4In6():
		faults.Add(p.place, text, "is an IPv4 network written as IPv6; peers are compared as IPv4", "")
		return
	case p.network.Bits() == 0:
		faults.Add(p.place, text, "is every address, so that every client could choose a certificate", "list the addresses of the proxies")
	case p.network != p.network.Masked():
		faults.Add(p.place, text, "has bits beyond its length",
			fmt.Sprintf("write %v for the network, or /%d for the address", p.network.Masked(), p.network.Addr().BitLen()))
	}
	for _, other := range before {
		if p.network.Overlaps(other.network) && !p.readsLike(other) {
			faults.Add(p.place, p.network.String(), fmt.Sprintf("overlaps %s, whose proxies send the certificate in another way", other.place), "")
		}
	}
}

// readsLike reports whether the fields of two proxies are read in the same way.
func (p *certificateProxy) readsLike(other certificateProxy) bool {
	return p.field == other.field && p.appended == other.appended
}

// forwardedCertificate returns the hash of the certificate in the values of the
// proxy's field.
func (p *certificateProxy) forwardedCertificate(values []string) (hash certificateHash, err error) {
	switch {
	case len(values) == 0:
		return hash, fmt.Errorf("the proxy sent no field %s", p.field)
	case len(values) > 1:
		return hash, fmt.Errorf("there are %d fields %s", len(values), p.field)
	case len(values[0]) > maxCertificateField:
		return hash, fmt.Errorf("the field %s is longer than %d bytes", p.field, maxCertificateField)
	case p.field == fieldClientCert:
		hash, err = parseClientCert(values[0])
	default:
		hash, err = parseXFCC(values[0], p.appended)
	}
	if err != nil {
		return hash, fmt.Errorf("the field %s: %w", p.field, err)
	}
	return hash, nil
}
