package process

import (
	"runtime/debug"
	"testing"
)

func TestMostOfAContainersMemoryIsGos(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{
		"134217728\n":           64 << 20,
		"536870912\n":           416 << 20,
		"max\n":                 0,
		"9223372036854771712\n": 0, // how cgroups 1 say that there is none
		"0":                     0,
		"":                      0,
	} {
		if limit, ok := softLimit(text); limit != want || ok != (want > 0) {
			t.Errorf("of %q: %d, %t, want %d", text, limit, ok, want)
		}
	}
}

func TestALargeHeapHasLessGarbageForItsSize(t *testing.T) {
	t.Parallel()
	for live, want := range map[uint64]int{
		0: 200, 18 << 20: 200, 24 << 20: 150, 36 << 20: 100, 50 << 20: 70, 1 << 30: 50,
	} {
		if got := percentFor(live); got != want {
			t.Errorf("%d MiB in use: %d %%, want %d", live>>20, got, want)
		}
	}
}

//nolint:paralleltest // there is one for the process
func TestTheEnvironmentSaysHowGarbageIsCollected(t *testing.T) {
	percent, limit := debug.SetGCPercent(77), debug.SetMemoryLimit(-1)
	t.Cleanup(func() {
		debug.SetGCPercent(percent)
		debug.SetMemoryLimit(limit)
	})
	SizeMemory(func(string) (string, bool) { return "", true })
	if got := debug.SetGCPercent(77); got != 77 {
		t.Errorf("GOGC is set, and the percentage is %d", got)
	}
	SizeMemory(func(string) (string, bool) { return "", false })
	if got := debug.SetGCPercent(77); got != gcPercent {
		t.Errorf("the percentage is %d", got)
	}
}

func TestWhatWorkHasLeftIsCollectedOnceItIsQuiet(t *testing.T) {
	t.Parallel()
	const mega = 1 << 20
	for _, c := range []struct {
		kept, live, added uint64
		want              bool
	}{
		{100 * mega, 100 * mega, 0, false},
		{100 * mega, 93 * mega, 0, false},
		{100 * mega, 90 * mega, 0, true},
		{100 * mega, 60 * mega, 2 * mega, false},
		{20 * mega, 60 * mega, 0, false},
	} {
		if got := isLeft(c.kept, c.live, c.added); got != c.want {
			t.Errorf("%+v: %t", c, got)
		}
	}
}
