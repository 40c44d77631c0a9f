package bundle_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/keysake/keysake/bundle"
	"github.com/keysake/keysake/plaintext"
)

var (
	somewhere = bundle.Binding{
		Server: [16]byte{15: 1}, Lease: [16]byte{15: 2}, Purpose: bundle.PurposeEnv,
	}
	expires = time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
)

// keys returns a key of each suite that this process may use.
func keys(t *testing.T) (all []*bundle.Key) {
	t.Helper()
	for _, suite := range bundle.Suites() {
		all = append(all, newKey(t, suite))
	}
	return all
}

func newKey(tb testing.TB, suite bundle.Suite) *bundle.Key {
	tb.Helper()
	k, err := bundle.NewKey(suite)
	if err != nil {
		tb.Fatal(err)
	}
	return k
}

func payload(pairs ...string) bundle.Payload {
	p := bundle.Payload{ExpiresAt: expires}
	for i := 0; i < len(pairs); i += 2 {
		p.Secrets = append(p.Secrets, bundle.Secret{
			ID: [16]byte{15: byte(i)}, Name: pairs[i], Version: uint64(i + 1),
			Value: plaintext.FromString(pairs[i+1]),
		})
	}
	return p
}

func mustSeal(tb testing.TB, to bundle.Recipient, p bundle.Payload) []byte {
	tb.Helper()
	sealed, err := bundle.Seal(to, somewhere, p)
	if err != nil {
		tb.Fatal(err)
	}
	return sealed
}

// shown returns everything in a payload, for comparisons. Tests hold no secrets of anybody.
func shown(p bundle.Payload) string {
	s := p.ExpiresAt.String()
	for _, one := range p.Secrets {
		s += fmt.Sprintf(
			"|%x %s %d %x", one.ID, one.Name, one.Version, one.Value.Reveal())
	}
	return s
}

func TestWhatIsSealedOpensByteForByte(t *testing.T) {
	for _, k := range keys(t) {
		want := payload("A", "plain", "B_2", "two\nlines\r\n\tand \"quotes\" \\ $HOME", "_c", "é日😀",
			"d", "\r", "e", "-", "f", "\x01\x1f\x7f\u2028<&>", "g", "")
		got, err := bundle.Open(k, somewhere, mustSeal(t, k.Recipient(), want))
		if err != nil || shown(got) != shown(want) {
			t.Errorf("something else comes out: %v", err)
		}
	}
}

func TestAnySetOfValuesComesOutAsItWentIn(t *testing.T) {
	for _, k := range keys(t) {
		rapid.Check(t, func(t *rapid.T) {
			values := rapid.MapOfN(
				rapid.StringMatching(`[A-Za-z_][A-Za-z0-9_]{0,127}`), rapid.String(), 1, 50,
			).Draw(t, "values")
			p := bundle.Payload{ExpiresAt: time.Unix(rapid.Int64Range(0, 1<<37).Draw(t, "at"), 0)}
			for name, value := range values {
				p.Secrets = append(p.Secrets, bundle.Secret{
					Name: name, Version: rapid.Uint64Range(1, 1<<53-1).Draw(t, "version"),
					Value: plaintext.FromString(value),
				})
			}
			sealed, err := bundle.Seal(k.Recipient(), somewhere, p)
			if err != nil {
				t.Fatal(err)
			}
			got, err := bundle.Open(k, somewhere, sealed)
			if err != nil || len(got.Secrets) != len(values) || !got.ExpiresAt.Equal(p.ExpiresAt) {
				t.Fatal(err)
			}
			for i, s := range got.Secrets {
				if string(s.Value.Reveal()) != values[s.Name] ||
					i > 0 && got.Secrets[i-1].Name >= s.Name {
					t.Fatal("another value, or another order")
				}
			}
		})
	}
}

func TestABundleOpensOnlyWithItsKeyItsBindingAndItsBytes(t *testing.T) {
	for _, k := range keys(t) {
		sealed := mustSeal(t, k.Recipient(), payload("NAME", "value"))
		refused := func(what string, k *bundle.Key, b bundle.Binding, sealed []byte) {
			t.Helper()
			got, err := bundle.Open(k, b, sealed)
			if !errors.Is(err, bundle.ErrOpen) || err.Error() != bundle.ErrOpen.Error() ||
				len(got.Secrets) > 0 {
				t.Errorf("%s: %v", what, err)
			}
		}
		for what, change := range map[string]func(*bundle.Binding){
			"another server":  func(b *bundle.Binding) { b.Server[0]++ },
			"another lease":   func(b *bundle.Binding) { b.Lease[0]++ },
			"another purpose": func(b *bundle.Binding) { b.Purpose = "file" },
			"server and lease swapped": func(b *bundle.Binding) {
				b.Server, b.Lease = b.Lease, b.Server
			},
		} {
			b := somewhere
			change(&b)
			refused(what, k, b, sealed)
		}
		for _, suite := range bundle.Suites() {
			refused("another key", newKey(t, suite), somewhere, sealed)
		}
		for i := range sealed {
			damaged := bytes.Clone(sealed)
			damaged[i] ^= 1
			refused(fmt.Sprintf("byte %d changed", i), k, somewhere, damaged)
			refused(fmt.Sprintf("cut at %d", i), k, somewhere, sealed[:i])
		}
		refused("one byte more", k, somewhere, append(bytes.Clone(sealed), 0))
		other := mustSeal(t, k.Recipient(), payload("NAME", "other"))
		half := len(sealed) - 100
		refused("the end of another", k, somewhere, append(bytes.Clone(sealed[:half]),
			other[half:]...))
		k.Wipe()
		refused("a wiped key", k, somewhere, sealed)
	}
}

func TestTwoBundlesOfOnePayloadHaveNothingInCommonButTheHeader(t *testing.T) {
	for _, k := range keys(t) {
		p := payload("NAME", "value")
		one, two := mustSeal(t, k.Recipient(), p), mustSeal(t, k.Recipient(), p)
		if len(one) != len(two) || bytes.Contains(two, one[7:39]) ||
			bytes.Equal(one[len(one)-16:], two[len(two)-16:]) {
			t.Error("they have")
		}
	}
}

func TestWhatTheFormatDoesNotHoldIsNotSealed(t *testing.T) {
	many := payload()
	for i := range bundle.MaxSecrets + 1 {
		many.Secrets = append(many.Secrets, bundle.Secret{Name: fmt.Sprintf("N%d", i), Version: 1})
	}
	early, late := payload("A", "x"), payload("A", "x")
	early.Secrets[0].Version, late.ExpiresAt = 0, expires.AddDate(9000, 0, 0)
	precise := payload("A", "x")
	precise.Secrets[0].Version = 1 << 53
	to := newKey(t, bundle.XWing).Recipient()
	for what, p := range map[string]bundle.Payload{
		"no secret": payload(), "too many": many, "no version": early, "a late time": late,
		"a version that JavaScript rounds": precise, "not UTF-8": payload("A", "\xff"),
		"no name": payload("", "x"), "a name with =": payload("A=B", "x"),
		"a name with a quote": payload(`A"`, "x"), "a digit first": payload("1A", "x"),
		"a long name":  payload(strings.Repeat("A", 129), "x"),
		"a name twice": payload("A", "x", "A", "y"),
	} {
		if _, err := bundle.Seal(to, somewhere, p); !errors.Is(err, bundle.ErrPayload) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestAPayloadIsWipedWhereItIs(t *testing.T) {
	k := newKey(t, bundle.XWing)
	got, err := bundle.Open(k, somewhere, mustSeal(t, k.Recipient(), payload("A", "value")))
	if err != nil {
		t.Fatal(err)
	}
	bits := got.Secrets[0].Value.Reveal()
	got.Wipe()
	if !bytes.Equal(bits, make([]byte, len("value"))) {
		t.Error("the value is still there")
	}
}
