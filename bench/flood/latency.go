package main

import (
	"fmt"
	"io"
	"slices"
	"time"
)

// latencies are how long calls took.
type latencies []time.Duration

// quantile returns the time that a part of the calls took at most. The calls are in
// order.
func (l latencies) quantile(part float64) time.Duration {
	if len(l) == 0 {
		return 0
	}
	return l[min(int(part*float64(len(l))), len(l)-1)]
}

// A comparison has the calls with good tokens of one kind, alone and in a flood, and how
// many times their p99 grew in each round.
type comparison struct {
	name           string
	alone, flooded latencies
	growth         []float64
}

// add adds those of a round.
func (c *comparison) add(alone, flooded latencies) {
	slices.Sort(alone)
	slices.Sort(flooded)
	c.alone, c.flooded = append(c.alone, alone...), append(c.flooded, flooded...)
	if p99 := alone.quantile(0.99); p99 > 0 {
		c.growth = append(c.growth, float64(flooded.quantile(0.99))/float64(p99))
	}
}

// A result is what was measured with a flood of one kind.
type result struct {
	flood    string
	good     []*comparison
	bad      int
	lasted   time.Duration // all floods
	requests int           // to the issuer, during the floods
}

// print prints a line for each kind of good tokens. The growth is the median of the
// rounds. The control has the p99 of each kind in a flood of nothing.
func (r *result) print(out io.Writer, control map[string]time.Duration) {
	for _, c := range r.good {
		slices.Sort(c.alone)
		slices.Sort(c.flooded)
		slices.Sort(c.growth)
		fmt.Fprintf(out, "%s\t%s", r.flood, c.name)
		for _, l := range []latencies{c.alone, c.flooded} {
			fmt.Fprintf(out, "\t%v\t%v\t%v", l.quantile(0.5), l.quantile(0.99), l.quantile(0.999))
		}
		growth, beside := "–", "–"
		if len(c.growth) > 0 {
			growth = fmt.Sprintf("%.2f", c.growth[len(c.growth)/2])
		}
		p99 := c.flooded.quantile(0.99)
		if of := control[c.name]; of > 0 {
			beside = fmt.Sprintf("%.2f", float64(p99)/float64(of))
		}
		fmt.Fprintf(out, "\t%s\t%s\t%.0f\t%d\n", growth, beside, float64(r.bad)/r.lasted.Seconds(), r.requests)
	}
}
