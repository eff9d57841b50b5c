package main

import (
	"fmt"
	"io"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"text/tabwriter"
	"time"
)

// shown is how many wrong decisions are printed.
const shown = 20

// tally counts outcomes.
type tally struct {
	outcomes [surfaces][]outcomes // by the index of the credential's name
	calls    atomic.Int64
	wrong    atomic.Int64

	mu  sync.Mutex
	out io.Writer
}

type outcomes [classes]atomic.Int64

func newTally(out io.Writer) *tally {
	t := &tally{out: out}
	for i := range t.outcomes {
		t.outcomes[i] = make([]outcomes, len(credentialNames))
	}
	return t
}

// add counts the outcome of a call.
func (t *tally) add(surface int, c *credential, got class) {
	t.calls.Add(1)
	t.outcomes[surface][slices.Index(credentialNames, c.name)][got].Add(1)
}

// blame counts a wrong decision, and prints it.
func (t *tally) blame(format string, args ...any) {
	if t.wrong.Add(1) > shown {
		return
	}
	t.printf("WRONG DECISION: "+format+"\n", args...)
}

func (t *tally) printf(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	fmt.Fprintf(t.out, format, args...)
}

// bySurface returns the number of calls of each surface.
func (t *tally) bySurface() string {
	parts := make([]string, surfaces)
	for surface, name := range surfaceNames {
		parts[surface] = fmt.Sprintf("%s %d", name, t.sum(surface))
	}
	return strings.Join(parts, ", ")
}

func (t *tally) sum(surface int) (total int64) {
	for credential := range credentialNames {
		for c := range classes {
			total += t.outcomes[surface][credential][c].Load()
		}
	}
	return total
}

// matrix prints every outcome that was met, by surface and credential.
func (t *tally) matrix() {
	t.mu.Lock()
	defer t.mu.Unlock()
	table := tabwriter.NewWriter(t.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(table, "surface\tcredential\t%s\t\n", strings.Join(classNames[:], "\t"))
	for surface, surfaceName := range surfaceNames {
		for credential, credentialName := range credentialNames {
			cells := make([]string, classes)
			met := false
			for c := range classes {
				n := t.outcomes[surface][credential][c].Load()
				cells[c] = "."
				if n > 0 {
					cells[c], met = strconv.FormatInt(n, 10), true
				}
			}
			if met {
				fmt.Fprintf(table, "%s\t%s\t%s\t\n", surfaceName, credentialName, strings.Join(cells, "\t"))
			}
		}
	}
	_ = table.Flush() // to the same writer as everything else
}

// A sample is what the process holds at one time.
type sample struct {
	heap       uint64 // bytes in use after a collection
	goroutines int
}

// The bounds of what may be added between the first sample, at a tenth of the run,
// and the last, and of the goroutines that are left when everything is closed.
const (
	heapBound      = 16 << 20
	goroutineBound = 100
	leftBound      = 5
)

func takeSample() sample {
	runtime.GC()
	runtime.GC() // the first one moves pools to their victims
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return sample{heap: stats.HeapAlloc, goroutines: runtime.NumGoroutine()}
}

// growth returns what has grown above its bound.
func growth(first, last sample) (faults []string) {
	if last.heap > first.heap+heapBound {
		faults = append(faults, fmt.Sprintf("the heap grew from %s to %s, by more than %s", mebibytes(first.heap), mebibytes(last.heap), mebibytes(heapBound)))
	}
	if last.goroutines > first.goroutines+goroutineBound {
		faults = append(faults, fmt.Sprintf("goroutines grew from %d to %d, by more than %d", first.goroutines, last.goroutines, goroutineBound))
	}
	return faults
}

// left waits until the goroutines are as few as before, and returns a fault if they
// do not become so.
func left(before int, patience time.Duration) (int, []string) {
	deadline := time.Now().Add(patience)
	for {
		now := runtime.NumGoroutine()
		if now <= before+leftBound {
			return now, nil
		}
		if time.Now().After(deadline) {
			stacks := make([]byte, 64<<10)
			return now, []string{fmt.Sprintf("%d goroutines are left, %d before the start:\n%s", now, before, stacks[:runtime.Stack(stacks, true)])}
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func mebibytes(n uint64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }
