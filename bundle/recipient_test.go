package bundle_test

import (
	"bytes"
	"crypto/ecdh"
	"crypto/fips140"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/keysake/keysake/bundle"
)

func TestARecipientIsReadAsItIsPrinted(t *testing.T) {
	for _, k := range keys(t) {
		text := k.Recipient().String()
		got, err := bundle.ParseRecipient(text)
		if err != nil || got.String() != text || got.Hash() != k.Recipient().Hash() {
			t.Errorf("%.20s: %v", text, err)
		}
		if got.Suite().PostQuantum() != strings.HasPrefix(text, "x-wing:") {
			t.Error("the other suite is the one that holds against quantum computers")
		}
	}
}

func TestNothingElseIsARecipient(t *testing.T) {
	wing := newKey(t, bundle.XWing).Recipient().String()
	raw := newKey(t, bundle.XWing).Recipient().Bytes()
	text := func(suite string, b []byte) string {
		return suite + ":" + base64.RawURLEncoding.EncodeToString(b)
	}
	zeroEnd := append(append([]byte{}, raw[:1184]...), make([]byte, 32)...)
	notReduced := append([]byte{0xff, 0xff, 0xff}, raw[3:]...)
	cases := map[string]string{
		"nothing": "", "a colon": ":", "no key": "x-wing:",
		"no suite":      strings.TrimPrefix(wing, "x-wing"),
		"another suite": "p-256" + strings.TrimPrefix(wing, "x-wing"),
		"upper case":    strings.Replace(wing, "x-wing", "X-Wing", 1),
		"of x25519":     strings.Replace(wing, "x-wing", "x25519", 1),
		"padded":        wing + "=", "a line break": wing[:100] + "\n" + wing[100:],
		"a space": wing + " ", "one byte less": text("x-wing", raw[:1215]),
		"one byte more":        text("x-wing", append(raw[:1216:1216], 0)),
		"a point of low order": text("x-wing", zeroEnd), "not reduced": text("x-wing", notReduced),
		"x25519 of zeroes": text("x25519", make([]byte, 32)),
		"x25519 of one":    text("x25519", append([]byte{1}, make([]byte, 31)...)),
		"x25519, short":    text("x25519", make([]byte, 31)),
		"a megabyte":       "x-wing:" + strings.Repeat("A", 1<<20),
	}
	for what, text := range cases {
		if _, err := bundle.ParseRecipient(text); !errors.Is(err, bundle.ErrRecipient) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// The points beside 0 and beside the prime are tried, and the two that have order 8.
func TestARecipientIsAPointThatTakesPartInAnExchange(t *testing.T) {
	wing := newKey(t, bundle.XWing).Recipient().Bytes()
	points := bundle.SmallOrder()
	for low := range 256 {
		for _, filler := range []byte{0x00, 0xff} {
			points = append(points, append([]byte{byte(low)}, bytes.Repeat([]byte{filler}, 31)...))
		}
	}
	for _, point := range points {
		for _, last := range []byte{point[31] &^ 0x80, point[31] | 0x80} {
			point[31] = last
			key := append(wing[:1184:1184], point...)
			_, err := bundle.ParseRecipient("x-wing:" + base64.RawURLEncoding.EncodeToString(key))
			if (err == nil) != exchanges(t, point) {
				t.Errorf("%x: %v", point, err)
			}
		}
	}
}

// exchanges reports whether X25519 accepts the other side's point.
func exchanges(t *testing.T, point []byte) (ok bool) {
	t.Helper()
	fips140.WithoutEnforcement(func() {
		key, err := ecdh.X25519().NewPrivateKey(bytes.Repeat([]byte{1}, 32))
		if err != nil {
			t.Fatal(err)
		}
		other, err := ecdh.X25519().NewPublicKey(point)
		if err != nil {
			t.Fatal(err)
		}
		_, err = key.ECDH(other)
		ok = err == nil
	})
	return ok
}

func TestNothingIsSealedToNoRecipient(t *testing.T) {
	_, err := bundle.Seal(bundle.Recipient{}, somewhere, payload("A", "x"))
	if !errors.Is(err, bundle.ErrRecipient) {
		t.Error(err)
	}
	if _, err := bundle.NewKey(bundle.Suite(0x0010)); err == nil {
		t.Error("there is a key of another suite")
	}
}

func TestAKeyDoesNotPrintItsPrivateHalf(t *testing.T) {
	bits := make([]byte, bundle.KeySize)
	for i := range bits {
		bits[i] = 0xa0 + byte(i)
	}
	k, err := bundle.OwnKey(bundle.XWing, bits)
	if err != nil {
		t.Fatal(err)
	}
	for _, form := range []any{k, *k, struct{ K *bundle.Key }{k}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%x", "%d"} {
			printed := fmt.Sprintf(verb, form)
			for _, part := range []string{"a0a1a2", "160 161 162", "\xa0\xa1\xa2"} {
				if strings.Contains(printed, part) {
					t.Errorf("%s of %T shows it", verb, form)
				}
			}
		}
	}
}
