package valkey_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/rueidis"
)

// patience is how long a test waits for what has to happen.
const patience = 20 * time.Second

// A server is a redis-server of the test, on a socket in a directory of its own.
type server struct {
	tb     testing.TB
	args   []string
	socket string
	cmd    *exec.Cmd // nil if it is down
	output bytes.Buffer
}

// newServer returns a server that is down.
func newServer(tb testing.TB, args ...string) *server {
	tb.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		tb.Fatal("redis-server is not on the PATH, and the tests of this package need a real one: apt-get install -y redis-server")
	}
	dir, err := os.MkdirTemp("", "valkey") //nolint:usetesting // The path of a socket has to be short.
	if err != nil {
		tb.Fatal(err)
	}
	s := &server{tb: tb, socket: filepath.Join(dir, "socket")}
	s.args = append([]string{"--port", "0", "--unixsocket", s.socket, "--dir", dir, "--save", "", "--loglevel", "warning"}, args...)
	tb.Cleanup(func() {
		s.stop()
		if tb.Failed() {
			tb.Logf("redis-server %s\n%s", s.args, s.output.String())
		}
		os.RemoveAll(dir)
	})
	return s
}

// startServer returns a server that is up.
func startServer(tb testing.TB, args ...string) *server {
	tb.Helper()
	s := newServer(tb, args...)
	s.start()
	return s
}

func (s *server) start() {
	s.tb.Helper()
	s.cmd = exec.Command("redis-server", s.args...)
	s.cmd.Stdout, s.cmd.Stderr = &s.output, &s.output
	if err := s.cmd.Start(); err != nil {
		s.tb.Fatal(err)
	}
	eventually(s.tb, func() error {
		conn, err := net.Dial("unix", s.socket)
		if err != nil {
			return err
		}
		return conn.Close()
	})
}

// stop ends the server as a crash would.
func (s *server) stop() {
	if s.cmd != nil {
		s.cmd.Process.Kill()
		s.cmd.Wait()
		s.cmd = nil
	}
}

// pause makes the server silent, without closing a connection, until resume.
func (s *server) pause()  { s.cmd.Process.Signal(syscall.SIGSTOP) }
func (s *server) resume() { s.cmd.Process.Signal(syscall.SIGCONT) }

// dial replaces the network of a client by the socket.
func (s *server) dial(ctx context.Context, _ string, d *net.Dialer, _ *tls.Config) (net.Conn, error) {
	return d.DialContext(ctx, "unix", s.socket)
}

// client returns a client, also of a server that is down.
func (s *server) client(changes ...func(*rueidis.ClientOption)) rueidis.Client {
	s.tb.Helper()
	option := rueidis.ClientOption{
		InitAddress: []string{s.socket}, DialCtxFn: s.dial, ForceSingleClient: true, DisableCache: true,
		ReadBufferEachConn: 1 << 12, WriteBufferEachConn: 1 << 12,
	}
	for _, change := range changes {
		change(&option)
	}
	client, err := rueidis.NewClient(option)
	if client == nil {
		s.tb.Fatal(err)
	}
	s.tb.Cleanup(client.Close)
	return client
}

// do runs a command, and returns its answer as text.
func (s *server) do(words ...string) string {
	s.tb.Helper()
	client := s.client()
	reply, err := client.Do(context.Background(), client.B().Arbitrary(words...).Build()).ToAny()
	if err != nil && !rueidis.IsRedisNil(err) {
		s.tb.Fatalf("%s: %v", words, err)
	}
	return fmt.Sprint(reply)
}

// info returns a field of INFO.
func (s *server) info(section, field string) string {
	s.tb.Helper()
	for line := range strings.Lines(s.do("INFO", section)) {
		if name, value, _ := strings.Cut(strings.TrimSpace(line), ":"); name == field {
			return value
		}
	}
	return ""
}

// eventually repeats f until it returns nil.
func eventually(tb testing.TB, f func() error) {
	tb.Helper()
	err := f()
	for end := time.Now().Add(patience); err != nil && time.Now().Before(end); err = f() {
		time.Sleep(5 * time.Millisecond)
	}
	if err != nil {
		tb.Fatal(err)
	}
}

// A record of the log is one line of text.
type logs struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logs) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

// count returns the number of records that contain all texts.
func (l *logs) count(texts ...string) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(l.text.String()) {
		all := true
		for _, text := range texts {
			all = all && strings.Contains(line, text)
		}
		if all {
			n++
		}
	}
	return n
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
