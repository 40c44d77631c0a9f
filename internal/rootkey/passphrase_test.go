package rootkey_test

import (
	"context"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/keysake/keysake/internal/rootkey"
	"github.com/keysake/keysake/internal/seal"
	"github.com/keysake/keysake/plaintext"
)

// of returns an opener of a file with these lines. It makes new keys of the first one.
func of(t *testing.T, lines ...string) *rootkey.Opener {
	t.Helper()
	file := filepath.Join(t.TempDir(), "passphrase")
	if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	return &rootkey.Opener{Source: &rootkey.Source{File: file}}
}

const word = "correct-horse-of-nobody"

func TestARootKeyOfAPassphraseIsFoundAgain(t *testing.T) {
	root, loc, err := of(t, word).Create(t.Context(), "passphrase:")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(loc.Params, "$argon2id$v=19$m=65536,t=3,p=4$") ||
		strings.Contains(loc.Params+loc.URL, "horse") {
		t.Errorf("what is stored is %q", loc.Params)
	}
	again, err := of(t, "another-horse", word).Open(t.Context(), loc)
	if err != nil || again.ID() != root.ID() {
		t.Errorf("%v", err)
	}
	_, err = of(t, word+"x", "").Open(t.Context(), loc)
	if !errors.Is(err, rootkey.ErrPassphrase) || strings.Contains(err.Error(), "horse") {
		t.Errorf("another one: %v", err)
	}
	other, _, err := of(t, word).Create(t.Context(), "passphrase:")
	if err != nil || other.ID() == root.ID() {
		t.Errorf("the same passphrase makes the same key twice: %v", err)
	}
}

func TestTheSamePassphraseIsKnownAgain(t *testing.T) {
	_, loc, err := of(t, word).Create(t.Context(), "passphrase:")
	if err != nil {
		t.Fatal(err)
	}
	weaker, file := loc, loc
	weaker.Params = strings.Replace(loc.Params, "t=3", "t=2", 1)
	file.URL, file.Params = "file:/k", ""
	for name, c := range map[string]struct {
		loc  rootkey.Location
		word string
		want bool
	}{
		"the same": {loc, word, true}, "another": {loc, word + "x", false},
		"weaker parameters": {weaker, word, false}, "a file": {file, word, false},
	} {
		same, err := of(t, c.word).SamePassphrase(t.Context(), c.loc)
		if err != nil || same != c.want {
			t.Errorf("%s: %t, %v", name, same, err)
		}
	}
}

func TestAShortPassphraseIsRefused(t *testing.T) {
	_, _, err := of(t, "eleven-byte").Create(t.Context(), "passphrase:")
	if !errors.Is(err, rootkey.ErrShortPassphrase) || strings.Contains(err.Error(), "eleven") {
		t.Error(err)
	}
}

func TestAKeyThatWasNotMadeOfAPassphraseIsNotOne(t *testing.T) {
	_, err := of(t, word).Open(t.Context(), rootkey.Location{URL: "passphrase:"})
	if !errors.Is(err, rootkey.ErrNoSuchKey) {
		t.Error(err)
	}
}

// The vector is of the reference implementation of Argon2 (src/test.c): version 19, t = 2, m = 2^16
// KiB, p = 1, "password", "somesalt".
func TestArgon2idIsThatOfTheReference(t *testing.T) {
	password, salt := plaintext.FromString("password"), []byte("somesalt")
	root, err := rootkey.Derive(t.Context(), password, 64<<10, 2, 1, salt)
	if err != nil {
		t.Fatal(err)
	}
	bits, err := hex.DecodeString(
		"09316115d5cf24ed5a15a31a3ba326e5cf32edc24702987c02b6566f61913cf7",
	)
	if err != nil {
		t.Fatal(err)
	}
	want, err := seal.NewRootKey(bits)
	if err != nil || root.ID() != want.ID() {
		t.Errorf("another key: %v", err)
	}
}

func TestParametersOutOfBoundsAreNotRead(t *testing.T) {
	const salt = "AAAAAAAAAAAAAAAAAAAAAA"
	good := "$argon2id$v=19$m=65536,t=3,p=4$" + salt
	if !rootkey.ParamsAreRead(good) ||
		!rootkey.ParamsAreRead("$argon2id$v=19$m=19456,t=2,p=1$"+salt) {
		t.Fatal("good ones are not read")
	}
	for _, bad := range []string{
		"", "$", salt, strings.Replace(good, "argon2id", "argon2i", 1),
		strings.Replace(good, "v=19", "v=16", 1),
		strings.Replace(good, "65536", "4294967295", 1),
		strings.Replace(good, "65536", "1048577", 1), strings.Replace(good, "65536", "19455", 1),
		strings.Replace(good, "65536", "99999999999999999999", 1),
		strings.Replace(good, "t=3", "t=0", 1), strings.Replace(good, "t=3", "t=1", 1),
		strings.Replace(good, "t=3", "t=17", 1), strings.Replace(good, "p=4", "p=0", 1),
		strings.Replace(good, "p=4", "p=17", 1), strings.Replace(good, "p=4", "p=256", 1),
		good + "AAA", good + "=", good + " and more", good + "$hash", good[:len(good)-2],
		strings.Replace(good, salt, "", 1), good + strings.Repeat("AAAA", 30),
	} {
		if rootkey.ParamsAreRead(bad) {
			t.Errorf("%q is read", bad)
		}
	}
}

func FuzzParametersOfAPassphrase(f *testing.F) {
	f.Add("$argon2id$v=19$m=65536,t=3,p=4$AAAAAAAAAAAAAAAAAAAAAA")
	f.Fuzz(func(_ *testing.T, text string) { rootkey.ParamsAreRead(text) })
}

func TestACallerThatGivesUpDoesNotWaitForADerivation(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	stop()
	_, _, err := of(t, word).Create(ctx, "passphrase:")
	if err != nil && !errors.Is(err, context.Canceled) { // nil if the slot was free
		t.Error(err)
	}
}
