package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// fronts are the base URLs of the proxies.
type fronts struct{ nginxGRPC, nginxHTTP, haproxy string }

const nginxConf = `daemon off; pid nginx.pid; error_log stderr crit;
events {}
http {
	access_log off; client_body_temp_path body; client_body_buffer_size 10m; client_max_body_size 10m;
	proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
	server { listen %[1]s http2; location / { grpc_pass grpc://%[3]s; } }
	server { listen %[2]s http2; location / { proxy_pass http://%[3]s; proxy_http_version 1.1; } }
}
`

const haproxyConf = `defaults
	mode http
	timeout connect 5s
	timeout client 5s
	timeout server 5s
listen all
	bind %[1]s proto h2
	server backend %[2]s proto h2
`

// startProxies starts nginx and haproxy in front of the backend, until ctx is done.
// The function that it returns waits for their end.
func startProxies(ctx context.Context, backend string) (fronts, func(), error) {
	wait := func() {}
	dir, err := os.MkdirTemp("", "early")
	if err != nil {
		return fronts{}, wait, err
	}
	var running []*exec.Cmd
	wait = func() {
		for _, proxy := range running {
			_ = proxy.Wait() // It was interrupted.
		}
		_ = os.RemoveAll(dir)
	}
	addresses, err := freeAddresses(ctx, 3)
	if err != nil {
		return fronts{}, wait, err
	}
	nginx, haproxy := filepath.Join(dir, "nginx.conf"), filepath.Join(dir, "haproxy.cfg")
	for path, content := range map[string]string{
		nginx:   fmt.Sprintf(nginxConf, addresses[0], addresses[1], backend),
		haproxy: fmt.Sprintf(haproxyConf, addresses[2], backend),
	} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			return fronts{}, wait, err
		}
	}
	for _, command := range [][]string{{"nginx", "-p", dir, "-e", "stderr", "-c", nginx}, {"haproxy", "-f", haproxy}} {
		proxy := exec.CommandContext(ctx, command[0], command[1:]...) //nolint:gosec // Nothing comes from outside.
		proxy.Cancel = func() error { return proxy.Process.Signal(os.Interrupt) }
		proxy.Stderr = os.Stderr
		if err := proxy.Start(); err != nil {
			return fronts{}, wait, err
		}
		running = append(running, proxy)
	}
	for _, address := range addresses {
		if err := await(ctx, address); err != nil {
			return fronts{}, wait, err
		}
	}
	return fronts{"http://" + addresses[0], "http://" + addresses[1], "http://" + addresses[2]}, wait, nil
}

// freeAddresses returns addresses on loopback that are free now.
func freeAddresses(ctx context.Context, n int) ([]string, error) {
	var listeners []net.Listener
	defer func() {
		for _, listener := range listeners {
			_ = listener.Close() // It has accepted nothing.
		}
	}()
	addresses := make([]string, n)
	for i := range addresses {
		listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		listeners = append(listeners, listener)
		addresses[i] = listener.Addr().String()
	}
	return addresses, nil
}

// await waits until something listens at an address.
func await(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	for {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(10 * time.Millisecond):
		}
	}
}
