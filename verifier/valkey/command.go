package valkey

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
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
	answers atomic.Uint64 // how many have come from the server
}

func newCommands(client rueidis.Client, timeout time.Duration) *commands {
	return &commands{client: client, timeout: timeout, pending: make(chan struct{}, maxPending)}
}

// run calls f, which sends commands with the context that it is given, and returns its
// error, or one of its own if there is no answer within the time limit, or ctx ends. The
// limit includes the time in which run waits for a place: a server that answers frees
// places fast, however many clients call at once.
//
// f has a goroutine of its own for two reasons. rueidis waits without regard to the
// context for a connection that another call is making, and for space in a queue that a
// silent server has filled. And it closes the connection of a command whose deadline has
// passed: a client must do that to others neither by the deadline of its request, nor by
// so many requests that little time is left for each. f's context therefore does not end
// with ctx, and always leaves f the whole time limit.
func (c *commands) run(ctx context.Context, f func(ctx context.Context) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	limit := time.NewTimer(c.timeout)
	defer limit.Stop()
	late := errSlow
	select {
	case c.pending <- struct{}{}:
	default:
		late = errBusy // The server had less than the time limit to answer.
		select {
		case c.pending <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		case <-limit.C:
			return late
		}
	}
	done := make(chan error, 1)
	go func() {
		defer func() { <-c.pending }()
		limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.timeout)
		defer cancel()
		err := f(limited)
		if isAnswer(err) {
			c.answers.Add(1)
		}
		done <- err
	}()
	select {
	case err := <-done:
		return named(err)
	case <-ctx.Done():
		return ctx.Err()
	case <-limit.C:
	}
	select {
	case err := <-done:
		return named(err)
	default:
		return late
	}
}

// isAnswer reports whether the server has answered.
func isAnswer(err error) bool {
	_, ok := errors.AsType[*rueidis.RedisError](err)
	return ok || err == nil
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
