package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/keysake/keysake/test/figures"
)

// lateness is the last column: not a work, but what the driver adds to the time of each.
const lateness = "sent late by"

// maxRatio is by how much the last part's p99 may exceed the first one's.
const maxRatio = 1.2

// enough is how many requests of a kind make a p99 that can be compared.
const enough = 1000

// print writes the tables.
func print(out io.Writer, s *figures.Soak) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	length := time.Duration(s.Seconds / parts * float64(time.Second)).Round(time.Second)
	fmt.Fprintf(w, "\np99, ms, each %v\t%s\tlast ÷ first\t\n", length, numbers(len(s.Parts)))
	for i, name := range s.Works {
		fmt.Fprintf(w, "%s\t", name)
		for _, p := range s.Parts {
			fmt.Fprintf(w, "%.2f\t", p.P99[i]/1000)
		}
		fmt.Fprintf(w, "%.2f\t\n", ratio(s, i))
	}
	fmt.Fprintf(w, "\nresource\tmean\tan hour\tover the time\t\t\n")
	for _, t := range s.Trends {
		unit, divisor := t.Unit()
		fmt.Fprintf(w, "%s\t%.1f%s\t%+.1f%s\t%+.1f %%\t%s\t\n", t.What, t.Mean/divisor, unit,
			t.PerHour/divisor, unit, 100*t.Change, t.Verdict)
	}
	_ = w.Flush() // what print cannot write, nobody reads
	fmt.Fprintf(out, "\n%d requests at %.0f a second, half of a peak of %.0f; %d failed\n",
		s.Requests, s.Rate, s.Peak, s.Failed)
	for _, e := range s.Errors {
		fmt.Fprintln(out, e)
	}
}

func numbers(n int) string {
	columns := make([]string, n)
	for i := range columns {
		columns[i] = fmt.Sprint(i + 1)
	}
	return strings.Join(columns, "\t")
}

// ratio returns the p99 of the last part over that of the first, 0 where one has none.
func ratio(s *figures.Soak, work int) float64 {
	first, last := s.Parts[0].P99[work], s.Parts[len(s.Parts)-1].P99[work]
	if first == 0 {
		return 0
	}
	return last / first
}

// judge returns what the soak has found to be wrong.
func judge(s *figures.Soak) (err error) {
	if s.Failed > 0 {
		err = fmt.Errorf("%d requests failed", s.Failed)
	}
	for _, t := range s.Trends {
		if t.Verdict == figures.Grows {
			err = errors.Join(err, fmt.Errorf("%s is not flat: %+.1f %%", t.What, 100*t.Change))
		}
	}
	for i, w := range works {
		few := float64(s.Parts[0].Requests)*float64(w.share)/100 < enough
		if r := ratio(s, i); r > maxRatio && !few {
			err = errors.Join(err, fmt.Errorf("%s: p99 became %.2f times what it was", w.name, r))
		}
	}
	return err
}
