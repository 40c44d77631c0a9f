// Package faults_test runs the real program on real PostgreSQL servers, all as processes of their
// own on loopback, and takes away from under it what it needs: the database, its primary, the
// network, the disk. What was answered must be there afterwards, and the servers must recover by
// themselves. A process that is killed leaves what it wrote with the kernel: no test here is one of
// a power cut.
package faults_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
)

// program is the path of the binary that the tests run.
var program string

func TestMain(m *testing.M) {
	code, err := buildAndRun(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func buildAndRun(m *testing.M) (code int, err error) {
	dir, err := os.MkdirTemp("", "keysake-faults-*")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	program = filepath.Join(dir, "keysake")
	if err := build(program); err != nil {
		return 1, err
	}
	return m.Run(), nil
}

func build(path string, flags ...string) error {
	args := append([]string{"build", "-o", path}, flags...)
	cmd := exec.Command("go", append(args, "../../cmd/keysake")...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	return nil
}

// roundsVariable says how many rounds each test does. Without it a test does what fits into
// everyday testing.
const roundsVariable = "FAULT_ROUNDS"

// rounds returns how many rounds to do: FAULT_ROUNDS, or so many every day.
func rounds(t *testing.T, everyday int) int {
	t.Helper()
	text, given := os.LookupEnv(roundsVariable)
	if !given {
		return everyday
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("%s must be a number of rounds", roundsVariable)
	}
	return n
}

// inRounds calls do for each round, and ends at the first that fails.
func inRounds(t *testing.T, everyday int, do func(t *testing.T, round int)) {
	t.Helper()
	for round := range rounds(t, everyday) {
		if !t.Run(fmt.Sprintf("round %d", round+1), func(t *testing.T) { do(t, round) }) {
			return
		}
	}
}
