package valkey

import (
	"context"
	"log/slog"
	"math"
	"time"
)

// A mark is what a follower remembers of an entry.
type mark struct {
	id streamID
	// needed is until when a replica that starts needs the entry, in nanoseconds since
	// 1970. It is computed from the cut-off: the identifier has the clock of the server,
	// which may have been wrong.
	needed int64
}

// last returns the identifier of the last entry that is known, zero if there is none.
func (f *follower) last() streamID {
	if len(f.known) == 0 {
		return streamID{}
	}
	return f.known[len(f.known)-1].id
}

// remember keeps what the stream has, and says what it no longer has.
func (f *follower) remember(ctx context.Context, seen []mark) {
	if lost := f.lost(seen); lost > 0 {
		logOf(f.logger).LogAttrs(ctx, slog.LevelError, "the server has lost cut-offs: they hold here, and replicas that start do not get them", slog.Int("count", lost))
	}
	f.known = seen
}

// lost returns how many cut-offs that were there before, and are still needed, are not in
// the stream. Both lists are sorted.
func (f *follower) lost(seen []mark) (count int) {
	now := time.Now().UnixNano()
	for _, known := range f.known {
		for len(seen) > 0 && seen[0].id.compare(known.id) < 0 {
			seen = seen[1:]
		}
		if (len(seen) == 0 || seen[0].id != known.id) && known.needed >= now {
			count++
		}
	}
	return count
}

// has reports whether the stream still has an entry. If it does not have the last one that
// is known, it may have lost others, and give new ones lower identifiers, which a command
// that waits for higher ones does not see: if the clock of the server went back, or another
// server took over behind a proxy.
func (f *follower) has(ctx context.Context, id streamID) (bool, error) {
	entries, err := f.fetch(ctx, id.before(), 0, 1)
	if err != nil {
		return false, err
	}
	return len(entries) > 0 && entries[0].ID == id.String(), nil
}

// before returns the greatest identifier below one that is not zero.
func (i streamID) before() streamID {
	if i.sequence == 0 {
		return streamID{i.milliseconds - 1, math.MaxUint64}
	}
	return streamID{i.milliseconds, i.sequence - 1}
}
