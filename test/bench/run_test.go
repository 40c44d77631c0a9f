package main

import (
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/keysake/keysake/test/load"
)

func TestEveryBenchmarkRunsToItsEnd(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	bench, keysake := filepath.Join(dir, "bench"), filepath.Join(dir, "keysake")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", bench, ".").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if err := load.Build(t.Context(), keysake); err != nil {
		t.Fatal(err)
	}
	for name, flags := range map[string][]string{
		"SQLite": nil, "PostgreSQL": {"-postgres"}, "the broker": {"-broker"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			flags = append(flags, "-binary", keysake, "-rounds", "1", "-time", "20ms",
				"-warm-up", "10ms", "-users", "20", "-streams", "10")
			out, err := exec.CommandContext(t.Context(), bench, flags...).CombinedOutput()
			if err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
}
