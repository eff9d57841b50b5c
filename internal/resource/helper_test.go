package resource_test

import (
	"context"
	"crypto/tls"
	"net/netip"
	"net/url"
	"testing"

	"github.com/drawbridge-rpc/drawbridge/fault"
	"github.com/drawbridge-rpc/drawbridge/internal/resource"
)

const (
	base   = "https://api.example.com"
	alias  = "https://alias.example.com"
	issuer = "https://login.example.com"
)

// transport is a Transport with fixed answers. It counts what it is asked for.
type transport struct {
	host, remote         string
	encrypted            bool
	forwarded            []string
	xhost, xproto        []string
	hosts, conns, fields int
}

func (c *transport) Values(_ context.Context, name string) []string {
	c.fields++
	switch name {
	case "Forwarded":
		return c.forwarded
	case "X-Forwarded-Host":
		return c.xhost
	case "X-Forwarded-Proto":
		return c.xproto
	default:
		panic("asked for " + name)
	}
}

func (c *transport) Host(context.Context) string {
	c.hosts++
	return c.host
}

func (c *transport) Connection(context.Context) (string, *tls.ConnectionState) {
	c.conns++
	if c.encrypted {
		return c.remote, new(tls.ConnectionState)
	}
	return c.remote, nil
}

// at returns the request for a path as a client sends it.
func at(tb testing.TB, sent, host string) *resource.Request {
	tb.Helper()
	u, err := url.ParseRequestURI(sent)
	if err != nil {
		tb.Fatal(err)
	}
	return &resource.Request{Path: u.Path, RawPath: u.RawPath, Transport: &transport{host: host}}
}

func configured(identifier string, aliases ...string) resource.Config {
	return resource.Config{Identifier: identifier, AuthorizationServers: []string{issuer}, Aliases: aliases}
}

func identified(identifiers ...string) []resource.Config {
	var all []resource.Config
	for _, identifier := range identifiers {
		all = append(all, configured(identifier))
	}
	return all
}

// mountedAt returns cfg with a mount path.
func mountedAt(cfg resource.Config, mountPath string) resource.Config {
	cfg.MountPath = mountPath
	return cfg
}

func newDirectory(tb testing.TB, configs []resource.Config, proxies ...string) *resource.Directory {
	tb.Helper()
	return newProxied(tb, configs, "", proxies...)
}

// newProxied returns a directory behind proxies that set a field.
func newProxied(tb testing.TB, configs []resource.Config, field string, proxies ...string) *resource.Directory {
	tb.Helper()
	var faults fault.List
	d := resource.NewDirectory(configs, resource.Proxies{Networks: prefixes(proxies), Field: field}, &faults)
	if err := faults.Err(); err != nil {
		tb.Fatal(err)
	}
	return d
}

func prefixes(proxies []string) []netip.Prefix {
	var all []netip.Prefix
	for _, proxy := range proxies {
		all = append(all, netip.MustParsePrefix(proxy))
	}
	return all
}

// identifierOf returns the identifier of an address, "" for nil.
func identifierOf(address *resource.Address) string {
	if address == nil {
		return ""
	}
	return address.Identifier
}
