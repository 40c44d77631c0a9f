package figures_test

import (
	"math"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keysake/keysake/test/figures"
)

func micros(values ...int) (took []time.Duration) {
	for _, v := range values {
		took = append(took, time.Duration(v)*time.Microsecond)
	}
	return took
}

func TestASampleSumsUpWhatRequestsTook(t *testing.T) {
	hundred := make([]int, 100)
	for i := range hundred {
		hundred[i] = 100 - i
	}
	for _, c := range []struct {
		name   string
		took   []time.Duration
		window time.Duration
		want   figures.Sample
	}{
		{"none", nil, time.Second, figures.Sample{}},
		{"no window", micros(1), 0, figures.Sample{}},
		{
			"one", micros(7), 500 * time.Millisecond,
			figures.Sample{Requests: 1, PerSecond: 2, P50: 7, P90: 7, P99: 7, Max: 7},
		},
		{
			"three", micros(3, 1, 2), time.Second,
			figures.Sample{Requests: 3, PerSecond: 3, P50: 2, P90: 3, P99: 3, Max: 3},
		},
		{
			"a hundred", micros(hundred...), 2 * time.Second,
			figures.Sample{Requests: 100, PerSecond: 50, P50: 50, P90: 90, P99: 99, Max: 100},
		},
	} {
		if diff := cmp.Diff(c.want, figures.Summarise(c.took, c.window)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

func TestASpreadHasTheMiddleOfAllRounds(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   figures.Spread
	}{
		{nil, figures.Spread{}},
		{[]float64{4}, figures.Spread{Min: 4, Median: 4, Max: 4}},
		{[]float64{4, 1}, figures.Spread{Min: 1, Median: 2.5, Max: 4}},
		{[]float64{9, 1, 3}, figures.Spread{Min: 1, Median: 3, Max: 9}},
	} {
		if got := figures.SpreadOf(c.values...); got != c.want {
			t.Errorf("%v: got %v, want %v", c.values, got, c.want)
		}
	}
}

func TestARatioComparesWhatWasMeasuredInOneRound(t *testing.T) {
	var rows []*figures.Row
	for round, ours := range []float64{10, 40, 90} {
		theirs := []float64{20, 50, 100}[round]
		rows = figures.Add(rows, figures.Keysake, "read", 16, figures.Sample{PerSecond: ours})
		rows = figures.Add(rows, figures.NetHTTP, "read", 16, figures.Sample{PerSecond: theirs})
	}
	ours := figures.Find(rows, figures.Keysake, "read", 16)
	theirs := figures.Find(rows, figures.NetHTTP, "read", 16)
	if got := figures.Ratio(ours, theirs, figures.PerSecond); math.Abs(got-0.8) > 1e-9 {
		t.Errorf("got %v, want the median of 0.5, 0.8 and 0.9", got)
	}
	if got := figures.Ratio(ours, figures.Find(rows, figures.SQLite, "read", 16),
		figures.PerSecond); got != 0 {
		t.Errorf("got %v without the other row", got)
	}
	if got := figures.Ratio(ours, theirs, figures.P50); got != 0 {
		t.Errorf("got %v where nothing was measured", got)
	}
}

func TestADocumentIsReadAsItWasWritten(t *testing.T) {
	run := &figures.Run{
		Version: figures.Version, At: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		Machine: figures.Machine{Cores: 2}, Settings: figures.Settings{Rounds: 5},
		Rows:   figures.Add(nil, figures.Disk, "fsync", 1, figures.Sample{PerSecond: 5850.5}),
		Starts: []figures.Measurement{{What: "1000 secrets", Rounds: []float64{1, 2}}},
		Goals:  []figures.Goal{{What: "read", Bound: 0.6, AtLeast: true, Reached: true}},
		Growth: []figures.Size{{
			Secrets: 1000,
			Rows:    figures.Add(nil, figures.Keysake, "list", 16, figures.Sample{P99: 1.5}),
		}},
	}
	path := filepath.Join(t.TempDir(), "bench.json")
	if err := run.Write(path); err != nil {
		t.Fatal(err)
	}
	got, err := figures.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(run, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestADocumentOfAnotherVersionIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bench.json")
	if err := (&figures.Run{Version: figures.Version + 1}).Write(path); err != nil {
		t.Fatal(err)
	}
	if _, err := figures.Read(path); err == nil || !strings.Contains(err.Error(), "version") {
		t.Errorf("got %v", err)
	}
	if _, err := figures.Read(path + ".none"); err == nil {
		t.Error("a file that is missing was read")
	}
}
