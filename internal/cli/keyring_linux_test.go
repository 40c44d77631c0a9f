package cli_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/internal/keyring/keyringtest"
)

// inKeyring logs in where there is a keyring, whose files are in dir. It returns the variables of
// the user, and the API key.
func inKeyring(t *testing.T) (ring *keyringtest.Keyring, dir, key string, env map[string]string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "ring") // the path of a socket is short
	apptest.Must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	ring, err = keyringtest.Start(dir)
	apptest.Must(t, err)
	t.Cleanup(ring.End)
	srv := apptest.Start(t)
	env = map[string]string{
		"DBUS_SESSION_BUS_ADDRESS": ring.Address,
		"KEYSAKE_CONFIG_DIR":       filepath.Join(dir, "config"),
		"KEYSAKE_URL":              srv.URL,
	}
	key = string(srv.Key.Reveal())
	code, _, said := run(t, env, strings.NewReader(key), "login")
	if code != 0 || !strings.Contains(said, "stored in the system's keyring") {
		t.Fatalf("exit code %d: %s", code, said)
	}
	return ring, dir, key, env
}

func TestALoginInTheKeyringIsInNoFileInTheClear(t *testing.T) {
	_, dir, key, env := inKeyring(t)
	if code, _, said := run(t, env, nil, "whoami"); code != 0 {
		t.Fatalf("exit code %d: %s", code, said)
	}
	files := 0
	apptest.Must(t, filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		if files++; strings.Contains(string(content), key) {
			t.Errorf("%s has the key", path)
		}
		return err
	}))
	if files < 3 { // of the bus, the keyring and the login
		t.Errorf("there are %d files", files)
	}
}

// Whether anybody sees the window is said by the terminal and the screen. Nothing shows one here,
// so nobody unlocks the keyring.
func TestOnlyWhoIsAtATerminalOnAScreenIsAskedToUnlockTheKeyring(t *testing.T) {
	ring, _, _, env := inKeyring(t)
	apptest.Must(t, ring.Lock())
	const asks = "Your keyring is locked: unlock it in the window that it shows, within 1m0s.\n"
	for _, c := range []struct {
		screen, says string
		terminal     bool
	}{
		{":0", asks + "keysake: the login is kept in the system's keyring: the keyring was not unlocked", true},
		{"", "keysake: the login is kept in the system's keyring: the keyring is locked", true},
		{":0", "keysake: the login is kept in the system's keyring: the keyring is locked", false},
	} {
		env["DISPLAY"] = c.screen
		said := ""
		if c.terminal {
			term := typing(t.Context(), t, env, "whoami")
			term.exits(1)
			said = term.stderr.String()
		} else {
			_, _, said = run(t, env, strings.NewReader(""), "whoami")
		}
		if !strings.HasPrefix(said, c.says) {
			t.Errorf("screen %q, terminal %v: it says %q", c.screen, c.terminal, said)
		}
	}
}

func TestALoginLeavesTheKeyringOnlyOnceItsFileIsWritten(t *testing.T) {
	ring, _, key, env := inKeyring(t)
	assertEntriesAfter(t, 1, ring, key, env, "login", "--key-store", "file")
}

func TestALoginIsNotInTheKeyringIfNoFileSaysSo(t *testing.T) {
	ring, _, key, env := inKeyring(t)
	assertEntriesAfter(t, 0, ring, key, env, "login")
}

// assertEntriesAfter checks how many entries the keyring has after a login whose file cannot be
// written.
func assertEntriesAfter(
	t *testing.T, want int, ring *keyringtest.Keyring, key string, env map[string]string,
	login ...string,
) {
	t.Helper()
	file := filepath.Join(env["KEYSAKE_CONFIG_DIR"], "login.json")
	apptest.Must(t, os.Remove(file))
	apptest.Must(t, os.MkdirAll(filepath.Join(file, "in-the-way"), 0o700))
	code, _, said := run(t, env, strings.NewReader(key), login...)
	if code == 0 {
		t.Fatalf("the file was written: %s", said)
	}
	if n, err := ring.Count("service", "keysake"); n != want || err != nil {
		t.Errorf("the keyring has %d entries (%v)", n, err)
	}
}
