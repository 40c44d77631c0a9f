package cli_test

import (
	"bytes"
	"context"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/keysake/keysake/internal/cli"
)

func TestATerminalShowsProgressAsABar(t *testing.T) {
	dir := initialized(t)
	person, tty := openTerminal(t)
	args := []string{"root-key", "rotate", "--data", dir, "--to", "file:" + dir + ".next"}
	if code := cli.Main(t.Context(), args, lookup(nil), nil, io.Discard, tty); code != 0 {
		t.Errorf("exit code %d", code)
	}
	shown := ""
	for b := make([]byte, 4096); !strings.Contains(shown, "Rotated: "); {
		n, err := person.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		shown += string(b[:n])
	}
	for _, want := range []string{
		"\r[" + strings.Repeat("-", 30) + "] 0/1 owner keys, ",
		"\r[" + strings.Repeat("#", 30) + "] 1/1 owner keys, ",
		"\r\nRotated: ", // below the bar
	} {
		if !strings.Contains(shown, want) {
			t.Errorf("%q is not in %q", want, shown)
		}
	}
}

// interrupter cancels a context when the first progress is printed.
type interrupter struct {
	bytes.Buffer
	interrupt context.CancelFunc
}

func (w *interrupter) Write(b []byte) (int, error) {
	w.interrupt()
	return w.Buffer.Write(b)
}

func TestAnInterruptedRotationSaysHowToContinue(t *testing.T) {
	dir := initialized(t)
	args := []string{"owner-key", "rotate", "--data", dir, "--all"}
	ctx, cancel := context.WithCancel(t.Context())
	stderr := &interrupter{interrupt: cancel}
	code := cli.Main(ctx, args, lookup(nil), nil, io.Discard, stderr)
	const want = "keysake: interrupted: stopped after 0 of 1, nothing is lost: " +
		"run the same command again\n"
	if code != 1 || !strings.HasSuffix(stderr.String(), want) {
		t.Errorf("exit code %d and %q", code, stderr)
	}
	code, _, errs := run(t, nil, nil, args...)
	if code != 0 || !strings.HasSuffix(errs, "Rotated the owner keys of 1 user.\n") {
		t.Errorf("exit code %d and %q", code, errs)
	}
}

// initialized returns a data folder with one user.
func initialized(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	if code, _, errs := run(t, nil, nil, "init", "--data", dir); code != 0 {
		t.Fatalf("exit code %d and %q", code, errs)
	}
	return dir
}
