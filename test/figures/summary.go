package figures

import (
	"cmp"
	"slices"
	"time"
)

// Summarise makes a sample of the times that requests took which were answered in a window. It
// sorts them.
func Summarise(took []time.Duration, window time.Duration) Sample {
	if len(took) == 0 || window <= 0 {
		return Sample{}
	}
	slices.Sort(took)
	return Sample{
		Requests: len(took), PerSecond: float64(len(took)) / window.Seconds(),
		P50: Micros(percentile(took, 50)), P90: Micros(percentile(took, 90)),
		P99: Micros(percentile(took, 99)), Max: Micros(took[len(took)-1]),
	}
}

// percentile returns the smallest element that so many in a hundred do not exceed.
func percentile[T any](sorted []T, percent int) T {
	rank := (len(sorted)*percent + 99) / 100
	return sorted[max(rank, 1)-1]
}

// Micros returns a duration in microseconds.
func Micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// Millis returns a duration in milliseconds.
func Millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// A Spread is what a figure was in all rounds.
type Spread struct{ Min, Median, Max float64 }

// SpreadOf returns the spread of figures; zero for none. The median of an even number of them is
// the mean of the two in the middle.
func SpreadOf(values ...float64) Spread {
	if len(values) == 0 {
		return Spread{}
	}
	sorted := slices.Sorted(slices.Values(values))
	half := len(sorted) / 2
	median := sorted[half]
	if len(sorted)%2 == 0 {
		median = (sorted[half-1] + median) / 2
	}
	return Spread{sorted[0], median, sorted[len(sorted)-1]}
}

// Of returns the spread of one figure of the samples of a row, which may be nil.
func (r *Row) Of(figure func(Sample) float64) Spread {
	if r == nil {
		return Spread{}
	}
	values := make([]float64, len(r.Rounds))
	for i, s := range r.Rounds {
		values[i] = figure(s)
	}
	return SpreadOf(values...)
}

// The figures of a sample that are compared most.

// PerSecond is a figure for [Row.Of].
func PerSecond(s Sample) float64 { return s.PerSecond }

// P50 is a figure for [Row.Of].
func P50(s Sample) float64 { return s.P50 }

// P99 is a figure for [Row.Of].
func P99(s Sample) float64 { return s.P99 }

// Server is a figure for [Row.Of]: all processor time of the server for a request.
func Server(s Sample) float64 { return s.User + s.System }

// Find returns a row; nil if there is none.
func Find(rows []*Row, side, work string, clients int) *Row {
	for _, r := range rows {
		if r.Side == side && r.Work == work && r.Clients == clients {
			return r
		}
	}
	return nil
}

// Add adds a sample to its row, and the row to the rows if it is new.
func Add(rows []*Row, side, work string, clients int, s Sample) []*Row {
	r := Find(rows, side, work, clients)
	if r == nil {
		r = &Row{Side: side, Work: work, Clients: clients}
		rows = append(rows, r)
	}
	r.Rounds = append(r.Rounds, s)
	return rows
}

// Ratio returns the median of a figure of one row for one of another, where both were measured in
// the same round; 0 where one is missing.
func Ratio(over, under *Row, figure func(Sample) float64) float64 {
	if over == nil || under == nil {
		return 0
	}
	var ratios []float64
	for i := range min(len(over.Rounds), len(under.Rounds)) {
		if under := figure(under.Rounds[i]); cmp.Compare(under, 0) > 0 {
			ratios = append(ratios, figure(over.Rounds[i])/under)
		}
	}
	return SpreadOf(ratios...).Median
}
