package main

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

// A stage is packages, of which a function's name begins with one of these.
type stage struct {
	name     string
	packages []string
}

const ours = "github.com/keysake/keysake/"

// stages are looked for from the innermost function of a sample outwards; the first that is found
// counts. So what a system call costs is counted where it is made, and an allocation, too.
var stages = []stage{
	{"net/http and sockets", []string{"net/http", "net.", "net/"}},
	{"API", []string{
		ours + "internal/api", ours + "internal/identity", ours + "internal/middleware",
		ours + "internal/server", ours + "wire", "encoding/json", "log/slog",
		"github.com/prometheus/",
	}},
	{"rules, ledger and audit", []string{
		ours + "internal/vault", ours + "internal/policy", ours + "internal/audit",
		ours + "internal/anchor", ours + "internal/catalog",
	}},
	{"cryptography", []string{"crypto/", "vendor/golang.org/x/crypto/", ours + "internal/seal"}},
	{"SQLite", []string{"modernc.org/", ours + "internal/store"}},
	{"garbage collection", []string{
		"runtime.gcBgMarkWorker", "runtime.bgsweep", "runtime.bgscavenge",
	}},
	{"scheduler", nil},
}

// askers are the packages that ask, which is not what is measured.
var askers = []string{ours + "test/load", "main."}

// classify adds up a profile by stage, in microseconds for a request.
func classify(ctx context.Context, profile string, requests int) ([]float64, error) {
	out, err := exec.CommandContext(ctx, "go", "tool", "pprof", "-traces", profile).Output()
	if err != nil {
		return nil, fmt.Errorf("go tool pprof: %w", err)
	}
	micros := make([]float64, len(stages))
	traces := strings.Split(string(out), "-----------+-------")
	for _, trace := range traces[1:] { // before the first one is a heading
		took, functions := parse(trace)
		if i := stageOf(functions); i >= 0 {
			micros[i] += float64(took.Nanoseconds()) / 1e3 / float64(max(requests, 1))
		}
	}
	return micros, nil
}

// parse reads a sample: its time and its functions, the innermost one first.
func parse(trace string) (took time.Duration, functions []string) {
	for line := range strings.Lines(trace) {
		fields := strings.Fields(strings.TrimLeft(line, "-+"))
		if len(fields) == 0 {
			continue
		}
		if d, err := time.ParseDuration(fields[0]); err == nil && len(fields) > 1 {
			took, fields = d, fields[1:]
		}
		functions = append(functions, fields[0])
	}
	return took, functions
}

// stageOf returns the index of a sample's stage, -1 if it is none of the server.
func stageOf(functions []string) int {
	found := -1
	for _, f := range functions {
		if begins(f, askers) {
			return -1
		}
		for i, s := range stages {
			if found < 0 && begins(f, s.packages) {
				found = i
			}
		}
	}
	if found < 0 && len(functions) > 0 {
		return len(stages) - 1
	}
	return found
}

func begins(function string, packages []string) bool {
	for _, p := range packages {
		if strings.HasPrefix(function, p) {
			return true
		}
	}
	return false
}
