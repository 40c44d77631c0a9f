package keyring_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/keysake/keysake/internal/keyring"
	"github.com/keysake/keysake/internal/keyring/keyringtest"
	"github.com/keysake/keysake/plaintext"
)

// start runs a real keyring, and returns what speaks with it.
func start(t *testing.T) (*keyringtest.Keyring, keyring.Keyring) {
	t.Helper()
	dir, err := os.MkdirTemp("", "ring")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	real, err := keyringtest.Start(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(real.End)
	return real, at(real.Address)
}

// at returns a keyring at the address of a bus.
func at(address string) keyring.Keyring {
	return with(map[string]string{"DBUS_SESSION_BUS_ADDRESS": address})
}

func with(env map[string]string) keyring.Keyring {
	return keyring.Keyring{Env: func(name string) string { return env[name] }}
}

func TestATextIsKeptUnderItsNameAndReplacedAndRemoved(t *testing.T) {
	real, k := start(t)
	if _, err := k.Get(t.Context(), "a"); !errors.Is(err, keyring.ErrNotFound) {
		t.Errorf("an empty keyring: %v", err)
	}
	for _, entry := range []struct{ name, text string }{
		{"a", "first"}, {"b", "other\nlines \x00 \xff"}, {"a", "second"},
	} {
		err := k.Set(t.Context(), entry.name, "of a test", plaintext.FromString(entry.text))
		if err != nil {
			t.Fatal(err)
		}
		got, err := k.Get(t.Context(), entry.name)
		if err != nil || !got.Equal(plaintext.FromString(entry.text)) {
			t.Errorf("%s: another text came back (%v)", entry.name, err)
		}
	}
	if n, err := real.Count("service", "keysake"); n != 2 || err != nil {
		t.Errorf("%d entries (%v)", n, err)
	}
	for range 2 { // what is not there needs no removing
		if err := k.Delete(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := k.Get(t.Context(), "a"); !errors.Is(err, keyring.ErrNotFound) {
		t.Errorf("it was removed: %v", err)
	}
	if _, err := k.Get(t.Context(), "b"); err != nil {
		t.Errorf("the other one: %v", err)
	}
}

func TestAnEntryThatCanBeReadIsReadThoughAnotherOfItsNameIsLocked(t *testing.T) {
	real, k := start(t)
	if err := k.Set(t.Context(), "kept", "of a test", plaintext.FromString("x")); err != nil {
		t.Fatal(err)
	}
	if err := real.Lock(); err != nil {
		t.Fatal(err)
	}
	other := map[string]string{"service": "keysake", "username": "kept"}
	if err := real.KeepOpen(other, "y"); err != nil {
		t.Fatal(err)
	}
	got, err := k.Get(t.Context(), "kept")
	if err != nil || !got.Equal(plaintext.FromString("y")) {
		t.Errorf("another text came back (%v)", err)
	}
}

// all asks a keyring for everything that there is, at the same time, and returns the errors.
func all(ctx context.Context, k keyring.Keyring) map[string]error {
	var get, set, remove error
	var group sync.WaitGroup
	group.Go(func() { _, get = k.Get(ctx, "kept") })
	group.Go(func() { set = k.Set(ctx, "kept", "of a test", plaintext.FromString("a text")) })
	group.Go(func() { remove = k.Delete(ctx, "kept") })
	group.Wait()
	return map[string]error{"get": get, "set": set, "delete": remove}
}

func assertRefused(t *testing.T, k keyring.Keyring, want string) {
	t.Helper()
	for what, err := range all(t.Context(), k) {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestALockedKeyringIsNotWaitedForWhereNobodyIs(t *testing.T) {
	real, k := start(t)
	if err := k.Set(t.Context(), "kept", "of a test", plaintext.FromString("x")); err != nil {
		t.Fatal(err)
	}
	if err := real.Lock(); err != nil {
		t.Fatal(err)
	}
	assertRefused(t, k, "the keyring is locked")
}

func TestWhoIsThereIsAskedToUnlockIt(t *testing.T) {
	real, k := start(t)
	for what, unlocks := range map[string]bool{"somebody who does": true, "who does not": false} {
		want := plaintext.FromString(what)
		if err := k.Set(t.Context(), "kept", "of a test", want); err != nil {
			t.Fatal(err)
		}
		if err := real.Lock(); err != nil {
			t.Fatal(err)
		}
		asked := 0
		k.Ask = func() {
			if asked++; unlocks {
				if err := real.Unlock(); err != nil {
					t.Error(err)
				}
			}
		}
		got, err := k.Get(t.Context(), "kept")
		if unlocks && (err != nil || !got.Equal(want)) || !unlocks && err == nil || asked != 1 {
			t.Errorf("%s: asked %d times: %v", what, asked, err)
		}
		if err := real.Unlock(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAKeyringThatNeverAnswersIsGivenUp(t *testing.T) {
	t.Parallel()
	real, k := start(t)
	if err := real.Freeze(); err != nil {
		t.Fatal(err)
	}
	assertRefused(t, k, "the keyring did not answer within 5s")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := k.Get(ctx, "kept"); !errors.Is(err, context.Canceled) {
		t.Errorf("a caller that leaves: %v", err)
	}
}

func TestABusThatNeverAnswersIsGivenUp(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "bus")
	mute, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = mute.Close() }()
	if _, err := at("unix:path="+path).Get(t.Context(), "kept"); err == nil ||
		err.Error() != "the keyring did not answer within 5s" {
		t.Errorf("%v", err)
	}
}

func TestWhereNoKeyringIsThatIsSaidAtOnce(t *testing.T) {
	dir := t.TempDir()
	for what, env := range map[string]map[string]string{
		"no session":       nil,
		"a bus that ended": {"DBUS_SESSION_BUS_ADDRESS": "unix:path=" + dir + "/none"},
		"another machine":  {"DBUS_SESSION_BUS_ADDRESS": "tcp:host=192.0.2.1,port=1"},
		"one to be found":  {"DBUS_SESSION_BUS_ADDRESS": "autolaunch:"},
		"no bus in it":     {"XDG_RUNTIME_DIR": dir},
	} {
		t.Run(what, func(t *testing.T) { assertRefused(t, with(env), "there is no keyring here") })
	}
}

func TestTheBusIsFoundInTheUsersFolderAndByAnEscapedPath(t *testing.T) {
	real, _ := start(t)
	path := strings.TrimPrefix(real.Address, "unix:path=")
	escaped := strings.ReplaceAll(path, "/bus", "%2fbus")
	for _, env := range []map[string]string{
		{"XDG_RUNTIME_DIR": filepath.Dir(path)},
		{"DBUS_SESSION_BUS_ADDRESS": "tcp:host=x;unix:guid=1,path=" + escaped + ";unix:path=/none"},
	} {
		if _, err := with(env).Get(t.Context(), "a"); !errors.Is(err, keyring.ErrNotFound) {
			t.Errorf("%v: %v", env, err)
		}
	}
}
