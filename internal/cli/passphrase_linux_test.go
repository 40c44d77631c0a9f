package cli_test

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestANewPassphraseIsTypedTwice(t *testing.T) {
	const word = "a-horse-of-nobody"
	data := filepath.Join(t.TempDir(), "data")
	initialize := func(again string, code int) *terminal {
		term := typing(t.Context(), t, nil, "init", "--data", data, "--root-key", "passphrase:")
		term.answer("New passphrase of the root key (not shown): ", word+"\n", true)
		term.answer("The same again (not shown): ", again+"\n", true)
		term.exits(code)
		return term
	}
	term := initialize(word+"x", 3)
	said := term.stderr.String()
	if !strings.HasSuffix(said, "keysake: the two passphrases differ\n") ||
		strings.Contains(said, "horse") {
		t.Errorf("it says %q", said)
	}
	initialize(word, 0)

	term = typing(t.Context(), t, nil, "owner-key", "rotate", "--data", data, "--all")
	term.answer("Passphrase of the root key (not shown): ", word+"x\n", true)
	term.exits(3)
	said = term.stderr.String()
	if !strings.Contains(said, "the passphrase is wrong") || strings.Contains(said, "horse") {
		t.Errorf("it says %q", said)
	}
	next := filepath.Join(t.TempDir(), "next")
	term = typing(t.Context(), t, nil, "root-key", "rotate", "--data", data, "--to", "file:"+next)
	term.answer("Passphrase of the root key (not shown): ", word+"\n", true)
	term.exits(0)
	code, _, errs := run(t, nil, nil, "owner-key", "rotate", "--data", data, "--all")
	if code != 0 {
		t.Errorf("exit code %d and %q", code, errs)
	}
}
