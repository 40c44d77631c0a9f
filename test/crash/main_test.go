// Package crash_test starts the real program as a process of its own, and ends it, starves it and
// searches what it leaves behind. A process that is killed leaves what it wrote with the kernel, so
// a file system in memory (TMPDIR) is as hard a test of that as a disk, and a faster one. No test
// here is one of a power cut.
package crash_test

import (
	"fmt"
	"math/rand/v2"
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
	dir, err := os.MkdirTemp("", "keysake-crash-*")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil { // one of the tests runs it as another user
		return 1, err
	}
	program = filepath.Join(dir, "keysake")
	build := exec.Command("go", "build", "-o", program, "../../cmd/keysake")
	if out, err := build.CombinedOutput(); err != nil {
		return 1, fmt.Errorf("%w\n%s", err, out)
	}
	return m.Run(), nil
}

// rounds returns how many rounds the tests that kill do: KEYSAKE_CRASH_ROUNDS, or what fits into
// everyday testing.
func rounds(t *testing.T, everyday int) int {
	t.Helper()
	text, given := os.LookupEnv("KEYSAKE_CRASH_ROUNDS")
	if !given {
		return everyday
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("KEYSAKE_CRASH_ROUNDS must be a number of rounds")
	}
	return n
}

// inFolders does the rounds of a test side by side, most of them at a time on one folder: what is
// checked after a round grows with the rounds before it.
func inFolders(
	t *testing.T, everyday, most int, do func(t *testing.T, random *rand.Rand, rounds int),
) {
	t.Helper()
	t.Parallel()
	all := rounds(t, everyday)
	for first := 0; first < all; first += most {
		n := min(most, all-first)
		t.Run(fmt.Sprintf("from round %d", first), func(t *testing.T) {
			t.Parallel()
			do(t, newRandom(t), n)
		})
	}
}

// newRandom returns a source of chance, and logs how to get the same again: KEYSAKE_CRASH_SEED.
func newRandom(t *testing.T) *rand.Rand {
	t.Helper()
	seed := rand.Uint64()
	if text, given := os.LookupEnv("KEYSAKE_CRASH_SEED"); given {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("KEYSAKE_CRASH_SEED must be a number")
		}
	}
	t.Logf("KEYSAKE_CRASH_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}
