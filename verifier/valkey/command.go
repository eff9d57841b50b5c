package valkey

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"github.com/drawbridge-rpc/drawbridge/token"
	"github.com/redis/rueidis"
)

const (
	defaultPrefix  = "drawbridge:"
	maxPrefix      = 128
	defaultTimeout = time.Second
	maxTimeout     = time.Minute
	// maxPending bounds the goroutines that wait for a server that does not answer.
	maxPending = 1000
	// maxErrorText bounds what a server can write into the log, in bytes.
	maxErrorText = 512
)

// The reasons for which there is no answer.
var (
	errSlow = errors.New("no answer within the Timeout")
	errBusy = errors.New("too many commands wait for an answer")
)

// commands sends commands to the server, each within a time limit.
type commands struct {
	client  rueidis.Client
	timeout time.Duration
	pending chan struct{}
}

func newCommands(client rueidis.Client, timeout time.Duration) *commands {
	return &commands{client: client, timeout: timeout, pending: make(chan struct{}, maxPending)}
}

// run calls f, which sends commands with the context that it is given, and returns its
// error, or one of its own if f takes longer than the time limit or ctx ends.
//
// f has a goroutine of its own for two reasons. rueidis waits without regard to the
// context for a connection that another call is making, and for space in a queue that a
// silent server has filled. And it closes the connection of a command whose deadline has
// passed: a client must not do that to all others by the deadline of its request, so
// that f's context does not end with ctx.
func (c *commands) run(ctx context.Context, f func(ctx context.Context) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := c.wait(ctx); err != nil {
		return err
	}
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.timeout)
	done := make(chan error, 1)
	go func() {
		defer func() { <-c.pending }()
		defer cancel()
		done <- f(limited)
	}()
	select {
	case err := <-done:
		return named(err)
	case <-ctx.Done():
		return ctx.Err()
	case <-limited.Done():
	}
	select {
	case err := <-done: // It is sent before the context is canceled.
		return named(err)
	default:
		return errSlow
	}
}

// wait waits for one of the places of those that wait for an answer. A server that answers
// frees them fast, however many clients call at once.
func (c *commands) wait(ctx context.Context) error {
	select {
	case c.pending <- struct{}{}:
		return nil
	default:
	}
	patience := time.NewTimer(c.timeout)
	defer patience.Stop()
	select {
	case c.pending <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-patience.C:
		return errBusy
	}
}

// named calls the end of a command's own time limit by its name.
func named(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return errSlow
	}
	return err
}

// A serverError says that the server did not do what it was asked to. It unwraps to its
// cause, and is a [token.ErrUnavailable].
type serverError struct {
	doing string
	cause error
}

func (e *serverError) Error() string {
	return printable("valkey: " + e.doing + ": " + e.cause.Error())
}

func (e *serverError) Is(target error) bool { return target == token.ErrUnavailable }
func (e *serverError) Unwrap() error        { return e.cause }

// printable returns a text that the server may have written as one bounded line.
func printable(text string) string {
	if len(text) > maxErrorText {
		text = text[:maxErrorText] + "…"
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' && r != '…' {
			return '?'
		}
		return r
	}, text)
}

// logOf returns a logger, or the default one at the time of the call.
func logOf(logger *slog.Logger) *slog.Logger {
	if logger == nil {
		return slog.Default()
	}
	return logger
}
