package bundle_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/keysake/keysake/bundle"
)

const whole = `{"env":{"A":"x"},"expires_at":"2030-01-02T03:04:05Z",` +
	`"lease":"00000000-0000-0000-0000-000000000002","secrets":[` +
	`{"id":"00000000-0000-0000-0000-000000000000","name":"A","version":1}]}`

// odd has payloads that are JSON, and not those of the format.
var odd = []struct{ about, text string }{
	{"a payload with white space", strings.Replace(whole, ":", ": ", 1)},
	{"a payload with a member more", strings.Replace(whole, `{"env"`, `{"a":1,"env"`, 1)},
	{"a payload of another lease", strings.Replace(whole, `0002"`, `0003"`, 1)},
	{"a payload with a name twice", strings.Replace(whole, `"A":"x"`, `"A":"x","A":"y"`, 1)},
	{
		"a payload with a value of no secret",
		strings.Replace(whole, `"A":"x"`, `"A":"x","B":"y"`, 1),
	},
	{"a payload with a secret of no value", strings.Replace(whole, `"A":"x"`, ``, 1)},
	{"a payload with an escape too many", strings.Replace(whole, `"x"`, `"\u0078"`, 1)},
	{"a payload with a number as value", strings.Replace(whole, `"x"`, `1`, 1)},
	{"a payload with a version of 0", strings.Replace(whole, `:1}`, `:0}`, 1)},
	{"a payload with a fraction", strings.Replace(whole, `:1}`, `:1.0}`, 1)},
	{"a payload with another time zone", strings.Replace(whole, `05Z`, `05+00:00`, 1)},
	{"a payload that ends early", whole[:len(whole)-1]},
	{"a payload with more behind it", whole + "\n"},
	{"an empty payload", ""},
}

func mustSealText(tb testing.TB, to bundle.Recipient, text string) []byte {
	tb.Helper()
	sealed, err := bundle.SealText(to, somewhere, []byte(text))
	if err != nil {
		tb.Fatal(err)
	}
	return sealed
}

// seeds returns the bundles and the payloads of the vectors.
func seeds(tb testing.TB) (sealed, payloads [][]byte) {
	tb.Helper()
	for _, g := range usable(tb) {
		for _, v := range g.Vectors {
			sealed = append(sealed, v.Sealed)
			if v.Payload != nil {
				payloads = append(payloads, []byte(*v.Payload))
			}
		}
	}
	for _, o := range odd {
		payloads = append(payloads, []byte(o.text))
	}
	return sealed, payloads
}

func TestTheFuzzersHaveSeeds(t *testing.T) {
	if sealed, payloads := seeds(t); len(sealed) < 29 || len(payloads) < 18 {
		t.Errorf("only %d bundles and %d payloads", len(sealed), len(payloads))
	}
}

// FuzzOpen shows that only bundles of the vectors open, and that nothing makes the reader panic.
func FuzzOpen(f *testing.F) {
	sealed, _ := seeds(f)
	made := map[string]bool{}
	for _, b := range sealed {
		f.Add(b)
		made[string(b)] = true
	}
	var keys []*bundle.Key
	for _, g := range usable(f) {
		keys = append(keys, g.key(f))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, k := range keys {
			_, err := bundle.Open(k, somewhere, b)
			if err == nil && !made[string(b)] {
				t.Error("a bundle that nobody made opens")
			}
			if err != nil && !errors.Is(err, bundle.ErrOpen) {
				t.Error(err)
			}
		}
	})
}

// FuzzPayload shows that a payload has one form: what is read is written again as it was.
func FuzzPayload(f *testing.F) {
	_, payloads := seeds(f)
	for _, b := range payloads {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		before := bytes.Clone(b)
		p, err := bundle.Unmarshal(b, somewhere.Lease)
		if !bytes.Equal(b, before) {
			t.Fatal("reading changes what is read")
		}
		if err != nil {
			if !errors.Is(err, bundle.ErrOpen) {
				t.Error(err)
			}
			return
		}
		again, err := bundle.Marshal(p, somewhere.Lease)
		if err != nil || !bytes.Equal(again, before) {
			t.Errorf("%q is read, and is not what is written: %v", before, err)
		}
	})
}

// FuzzRecipient shows that a recipient has one text.
func FuzzRecipient(f *testing.F) {
	for _, g := range usable(f) {
		f.Add(g.Recipient)
	}
	f.Add("x-wing:")
	f.Fuzz(func(t *testing.T, text string) {
		if r, err := bundle.ParseRecipient(text); err == nil && r.String() != text {
			t.Error("it has two")
		}
	})
}
