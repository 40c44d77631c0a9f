package main

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/keysake/keysake/test/figures"
)

// parts is into how many parts the time is divided, of which the last is compared with the first.
const parts = 6

// A watch sees what happens while a pacer runs. What it keeps does not depend on how many requests
// there are.
type watch struct {
	pacer *pacer
	soak  *figures.Soak
	parts [parts][]counts // of each work, and how late requests were sent
	used  float64         // processor time of the server before this window, in seconds
}

func newWatch(p *pacer, s *figures.Soak) *watch {
	w := &watch{pacer: p, soak: s}
	for i := range w.parts {
		w.parts[i] = make([]counts, len(works)+1)
	}
	return w
}

// run takes a window every so often, until the context ends.
func (w *watch) run(ctx context.Context, every time.Duration) error {
	began := time.Now()
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := w.take(ctx, time.Since(began).Seconds()-w.soak.WarmUp); err != nil {
			return err
		}
	}
}

// take takes the window that ends now.
func (w *watch) take(ctx context.Context, second float64) error {
	window := figures.Window{Second: math.Round(second*10) / 10}
	part := min(int(second/w.soak.Seconds*parts), parts-1)
	histograms := make([]*histogram, 0, len(works)+1)
	for i := range w.pacer.took {
		histograms = append(histograms, &w.pacer.took[i])
	}
	for i, h := range append(histograms, &w.pacer.late) {
		c := h.take()
		window.P50 = append(window.P50, c.percentile(50))
		window.P99 = append(window.P99, c.percentile(99))
		if i < len(works) {
			window.Requests += c.total()
		}
		if second > 0 {
			w.parts[part][i].merge(&c)
		}
	}
	if err := w.resources(ctx, &window); err != nil {
		return err
	}
	w.soak.Windows = append(w.soak.Windows, window)
	return nil
}

// resources adds to a window what the server uses.
func (w *watch) resources(ctx context.Context, window *figures.Window) error {
	seen := make([]float64, figures.ResourceCount)
	metrics, err := w.pacer.server.Seen(ctx)
	if err != nil {
		return err
	}
	used := metrics["process_cpu_seconds_total"]
	seen[figures.Processor] = math.Round((used - w.used) * 1e6 / float64(max(1, window.Requests)))
	w.used = used
	seen[figures.Resident] = metrics["process_resident_memory_bytes"]
	seen[figures.Heap] = metrics["go_memstats_next_gc_bytes"]
	seen[figures.Goroutines] = metrics["go_goroutines"]
	seen[figures.Descriptors] = metrics["process_open_fds"]
	database := filepath.Join(w.pacer.server.Data, "keysake.db")
	for path, size := range map[string]*float64{
		database: &seen[figures.Database], database + "-wal": &seen[figures.Journal],
	} {
		if info, err := os.Stat(path); err == nil {
			*size = float64(info.Size())
		}
	}
	window.Seen = seen
	return nil
}

// finish makes the parts and the trends of what was seen.
func (w *watch) finish() {
	s := w.soak
	for i := range w.parts {
		var p figures.Part
		for work := range w.parts[i] {
			c := &w.parts[i][work]
			p.P50 = append(p.P50, c.percentile(50))
			p.P99 = append(p.P99, c.percentile(99))
			if work < len(works) {
				p.Requests += c.total()
			}
		}
		s.Parts = append(s.Parts, p)
		s.Requests += p.Requests
	}
	// at the end of the last window the clients may have left
	s.Windows = slices.DeleteFunc(s.Windows, func(w figures.Window) bool {
		return w.Second > s.Seconds-0.5
	})
	for r, name := range figures.Resources {
		var at, seen []float64
		for _, window := range s.Windows {
			if window.Second > 0 {
				at, seen = append(at, window.Second), append(seen, window.Seen[r])
			}
		}
		s.Trends = append(s.Trends, trend(r, name, at, seen, s.Seconds))
	}
}

// bounds says by how much a resource may grow over the whole time and still be flat: by a twentieth
// of its mean, or by this, whichever is more.
var bounds = map[int]float64{
	figures.Resident: 4e6, figures.Heap: 4e6, figures.Goroutines: 4, figures.Descriptors: 4,
	figures.Journal: 1e6,
}

func trend(resource int, name string, at, seen []float64, seconds float64) figures.Trend {
	t := figures.Trend{What: name, Verdict: figures.Flat}
	for _, v := range seen {
		t.Mean += v / float64(len(seen))
	}
	perSecond := slope(at, seen)
	change := perSecond * seconds
	t.PerHour = perSecond * time.Hour.Seconds()
	if t.Mean > 0 {
		t.Change = change / t.Mean
	}
	switch {
	case resource == figures.Database:
		t.Verdict = figures.ByRight
	case resource == figures.Processor:
		t.Verdict = figures.Open
	case change > max(bounds[resource], t.Mean/20):
		t.Verdict = figures.Grows
	}
	return t
}

// slope returns that of the line of least squares, 0 for fewer than two points.
func slope(at, seen []float64) float64 {
	if len(at) < 2 {
		return 0
	}
	var meanAt, mean float64
	for i := range at {
		meanAt += at[i] / float64(len(at))
		mean += seen[i] / float64(len(at))
	}
	var over, under float64
	for i := range at {
		over += (at[i] - meanAt) * (seen[i] - mean)
		under += (at[i] - meanAt) * (at[i] - meanAt)
	}
	return over / under
}
