package source

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/jhump/protoreflect/v2/grpcreflect"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
)

// A Server is one that is asked for its descriptors, with the reflection service of gRPC:
// v1, and v1alpha where the server does not have it. The zero Server is none.
type Server struct {
	// Address is the host and the port.
	Address string
	// Plaintext connects without TLS.
	Plaintext bool
	// CACert is a file with the certificates to trust, in PEM. Empty means those of the
	// system.
	CACert string
	// Cert and Key are files with the certificate of the client and its key, in PEM.
	Cert, Key string
	// ServerName is the name in the certificate of the server. Empty means the host of
	// Address.
	ServerName string
	// TokenFile is a file with an access token to send.
	TokenFile string
	// Timeout bounds the whole conversation. It has to be positive.
	Timeout time.Duration
}

// addServer adds what a server says about itself.
func (d *descriptors) addServer(ctx context.Context, server Server) error {
	ctx, cancel := context.WithTimeout(ctx, server.Timeout)
	defer cancel()
	s, err := server.ask(ctx)
	if err != nil {
		return fmt.Errorf("--reflect %s: %w", server.Address, err)
	}
	return d.add(s)
}

func (s Server) ask(ctx context.Context) (set, error) {
	host, _, err := net.SplitHostPort(s.Address)
	if err != nil {
		return set{}, errors.New("is not a host and a port, such as localhost:8080")
	}
	security, err := s.credentials()
	if err != nil {
		return set{}, err
	}
	if ctx, err = s.withToken(ctx, host); err != nil {
		return set{}, err
	}
	connection, err := grpc.NewClient(s.Address, grpc.WithTransportCredentials(security))
	if err != nil {
		return set{}, err
	}
	defer connection.Close() //nolint:errcheck // Nothing is left to do with it.
	client := grpcreflect.NewClientAuto(ctx, connection,
		grpcreflect.WithAllowMissingFileDescriptors(),
		grpcreflect.WithFallbackResolvers(protoregistry.GlobalFiles, protoregistry.GlobalTypes))
	defer client.Reset()
	return s.describe(client)
}

// describe asks for every service.
func (s Server) describe(client *grpcreflect.Client) (set, error) {
	names, err := client.ListServices()
	if err != nil {
		return set{}, s.explain(err)
	}
	slices.Sort(names)
	described := set{from: s.Address, files: new(descriptorpb.FileDescriptorSet), own: make(map[string]bool)}
	seen := make(map[string]bool)
	for _, name := range names {
		file, err := client.FileContainingSymbol(name)
		switch {
		case err != nil && grpcreflect.IsElementNotFoundError(err):
			continue // Some servers list services that they cannot describe.
		case err != nil:
			return set{}, fmt.Errorf("service %s: %w", name, s.explain(err))
		}
		described.own[file.Path()] = true
		described.files.File = appendFile(described.files.GetFile(), file, seen)
	}
	if len(seen) == 0 {
		return set{}, errors.New("the server describes no service")
	}
	return described, nil
}

// explain says what to do about the commonest failures.
func (s Server) explain(err error) error {
	code := status.Code(err)
	text := status.Convert(err).Message()
	switch {
	case code == codes.Unimplemented:
		return errors.New("the server has no reflection service; read its protobuf files or an image instead")
	case code == codes.Unauthenticated, code == codes.PermissionDenied:
		return fmt.Errorf("the server wants an access token for its reflection service (%s): give --reflect-token-file", text)
	case code == codes.Unavailable && !s.Plaintext && strings.Contains(text, "first record does not look like a TLS handshake"):
		return errors.New("the server does not speak TLS: give --plaintext")
	case code == codes.Unavailable && s.Plaintext && strings.Contains(text, "error reading server preface"):
		return fmt.Errorf("the server does not answer as one without TLS does: leave out --plaintext (%s)", text)
	case code == codes.DeadlineExceeded:
		return errors.New("the server did not answer in time; see --timeout")
	default:
		return errors.New(text)
	}
}

func (s Server) credentials() (credentials.TransportCredentials, error) {
	if s.Plaintext {
		if s.CACert != "" || s.Cert != "" || s.Key != "" || s.ServerName != "" {
			return nil, errors.New("--plaintext does without TLS, so that --cacert, --cert, --key and --server-name have no effect: remove it, or them")
		}
		return insecure.NewCredentials(), nil
	}
	config := &tls.Config{ServerName: s.ServerName, MinVersion: tls.VersionTLS12}
	if s.CACert != "" {
		pem, err := os.ReadFile(s.CACert)
		if err != nil {
			return nil, fmt.Errorf("--cacert: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("--cacert %s: has no certificate in PEM", s.CACert)
		}
	}
	if s.Cert != "" || s.Key != "" {
		pair, err := tls.LoadX509KeyPair(s.Cert, s.Key)
		if err != nil {
			return nil, fmt.Errorf("--cert and --key: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return credentials.NewTLS(config), nil
}

// withToken adds the access token. It is never sent where others can read it.
func (s Server) withToken(ctx context.Context, host string) (context.Context, error) {
	if s.TokenFile == "" {
		return ctx, nil
	}
	if ip := net.ParseIP(host); s.Plaintext && host != "localhost" && !ip.IsLoopback() {
		return nil, errors.New("--reflect-token-file needs TLS, unless the server is on this machine")
	}
	content, err := os.ReadFile(s.TokenFile)
	if err != nil {
		return nil, fmt.Errorf("--reflect-token-file: %w", err)
	}
	raw := strings.TrimSpace(string(content))
	if raw == "" || strings.ContainsFunc(raw, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, fmt.Errorf("--reflect-token-file %s: holds no access token alone", s.TokenFile)
	}
	return metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+raw), nil
}
