package valkey

import (
	"context"
	"log/slog"
	"time"

	"github.com/redis/rueidis"
)

const (
	// retention is by how much longer than needed a cut-off is recorded: its Until may be
	// five minutes ahead, and the clocks of replicas and server differ.
	retention = 15 * time.Minute
	// leastRecorded is for how long a cut-off is recorded at least, whatever the Lifetime
	// of the replica that records or removes it: others may need it for longer.
	leastRecorded = defaultCutoffLifetime
	// removeCount is how many entries are looked at with each that is added.
	removeCount = 10
)

// remove removes from the oldest entries those that are too old. The next call removes
// what this one does not.
//
// The identifier of an entry does not say how old it is, because the clock of the server
// may have been wrong when it was added. Its Until does, by the clock of the replica that
// recorded it. What is too old must be so by two more clocks: that of this process, and
// that of the server, which has just made the identifier of the latest entry.
func (c *Cutoffs) remove(ctx context.Context, latest streamID) {
	now := time.Now()
	if server := latest.time(); server.Before(now) {
		now = server
	}
	err := c.commands.run(ctx, func(ctx context.Context) error {
		client := c.commands.client
		command := client.B().Arbitrary("XREAD").Args(readArgs(0, removeCount)...).Keys(c.key).Args(streamID{}.String()).Build()
		entries, err := entriesOf(client.Do(ctx, command), c.key)
		if err != nil {
			return err
		}
		var old []string
		for _, entry := range entries {
			if c.isOld(entry, now) {
				old = append(old, entry.ID)
			}
		}
		if len(old) == 0 {
			return nil
		}
		return client.Do(ctx, client.B().Xdel().Key(c.key).Id(old...).Build()).Error()
	})
	if err != nil {
		logOf(c.logger).LogAttrs(ctx, slog.LevelWarn, "old cut-offs were not removed from the server",
			slog.Any("error", &serverError{"XDEL", err}))
	}
}

// isOld reports whether no replica needs an entry. One that was written by something else
// has no Until, and only its identifier can say.
func (c *Cutoffs) isOld(e rueidis.XRangeEntry, now time.Time) bool {
	decoded, err := decode(e.FieldValues)
	if err == nil {
		return now.Sub(decoded.Until) > max(c.lifetime, decoded.lifetime, leastRecorded)+retention
	}
	id, err := parseStreamID(e.ID)
	return err == nil && now.Sub(id.time()) > max(c.lifetime, leastRecorded)+retention
}
