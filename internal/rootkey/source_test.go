package rootkey_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/keysake/keysake/internal/rootkey"
	"github.com/keysake/keysake/plaintext"
)

// asking returns a source that asks a person, who always types the same, and how often it did.
func asking(typed string) (*rootkey.Source, *int) {
	asked := new(int)
	return &rootkey.Source{Ask: func(context.Context, string) (rootkey.Passphrase, error) {
		*asked++
		return plaintext.FromString(typed), nil
	}}, asked
}

func TestAPersonIsAskedOnce(t *testing.T) {
	_, loc, err := of(t, word).Create(t.Context(), rootkey.PassphraseURL)
	if err != nil {
		t.Fatal(err)
	}
	source, asked := asking(word)
	o := &rootkey.Opener{Source: source}
	for range 2 {
		if _, err := o.Open(t.Context(), loc); err != nil {
			t.Error(err)
		}
	}
	if *asked != 1 {
		t.Errorf("asked %d times", *asked)
	}
}

func TestThePassphraseOfANewKeyOpensItWithoutTheOldOne(t *testing.T) {
	old, asked := asking(word)
	next, _ := asking("another-" + word)
	o := &rootkey.Opener{Source: old, NewSource: next}
	root, loc, err := o.Create(t.Context(), rootkey.PassphraseURL)
	if err != nil {
		t.Fatal(err)
	}
	if opened, err := o.Open(t.Context(), loc); err != nil || opened.ID() != root.ID() {
		t.Errorf("the new key does not open: %v", err)
	}
	if *asked != 0 {
		t.Errorf("the old passphrase was asked for %d times", *asked)
	}
}

func TestAFileOfPassphrasesIsReadEveryTime(t *testing.T) {
	_, loc, err := of(t, word).Create(t.Context(), rootkey.PassphraseURL)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "passphrase")
	o := &rootkey.Opener{Source: &rootkey.Source{File: file}}
	for _, c := range []struct {
		text string
		why  string // the error says so; empty if the key opens
	}{
		{"", "is empty"},
		{"\r\n\n", "is empty"},
		{strings.Repeat("a\n", 9), "at most 8 lines"},
		{strings.Repeat("a", 64<<10+1), "at most 8 lines"},
		{"another\r\n" + word + "\r\n", ""},
	} {
		if err := os.WriteFile(file, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := o.Open(t.Context(), loc)
		if c.why == "" && err != nil || c.why != "" && !strings.Contains(errorText(err), c.why) {
			t.Errorf("with %d bytes: %v", len(c.text), err)
		}
	}
}

func TestWithoutAnySourceThereIsNoPassphrase(t *testing.T) {
	for _, o := range []*rootkey.Opener{{}, {Source: &rootkey.Source{}}} {
		_, _, err := o.Create(t.Context(), rootkey.PassphraseURL)
		if !strings.Contains(errorText(err), "there is no passphrase") {
			t.Error(err)
		}
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
