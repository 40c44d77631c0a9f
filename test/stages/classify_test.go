package main

import (
	"slices"
	"strings"
	"testing"
)

func TestASampleIsOfTheInnermostStage(t *testing.T) {
	for _, c := range []struct {
		took      string
		functions []string // innermost first
		want      string
	}{
		{
			"10ms",
			[]string{"syscall.Syscall", "modernc.org/libc.Xfsync", ours + "internal/vault"},
			"SQLite",
		},
		{
			"1.50s",
			[]string{"syscall.Syscall", "net.(*conn).Write", "net/http.(*conn).serve"},
			"net/http and sockets",
		},
		{"10ms", []string{"net.(*conn).Write", ours + "test/load.(*Link).Exchange"}, ""},
		{"10ms", []string{"runtime.futex", "runtime.mcall"}, "scheduler"},
	} {
		trace := "+----\n      " + c.took + "   " + strings.Join(c.functions, "\n             ")
		took, functions := parse(trace + "\n")
		got := ""
		if i := stageOf(functions); i >= 0 {
			got = stages[i].name
		}
		if got != c.want || !slices.Equal(functions, c.functions) ||
			strings.TrimRight(took.String(), "0s") != strings.TrimRight(c.took, "0s") {
			t.Errorf("%v, %v are of %q, want %q", took, functions, got, c.want)
		}
	}
	if stages[len(stages)-1].packages != nil {
		t.Error("what is of no stage must be the last one")
	}
}
