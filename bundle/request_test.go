package bundle_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"testing"

	"github.com/keysake/keysake/bundle"
)

func (v sealed) request(tb testing.TB) bundle.Request {
	tb.Helper()
	return bundle.Request{
		Server: [16]byte(unhex(tb, v.Server)), Method: v.Method, Target: v.Target,
		Credential: sha256.Sum256([]byte(v.Credential)),
	}
}

func (v sealed) check(t *testing.T, k *bundle.Key) {
	t.Helper()
	r := v.request(t)
	if hex.EncodeToString(bundle.RequestInfo(r, k.Recipient())) != v.Info {
		t.Error("another info")
	}
	got, err := bundle.OpenRequest(k, r, v.Sealed)
	if v.Body == nil && !errors.Is(err, bundle.ErrOpen) {
		t.Error(err)
	}
	if v.Body != nil && (err != nil || string(got) != *v.Body) {
		t.Errorf("another body: %v", err)
	}
}

// makeRequests returns the vectors of sealed requests to a key.
func makeRequests(t *testing.T, k *bundle.Key) (all []sealed) {
	t.Helper()
	const path = "/api/v1/user/secrets"
	good := sealed{
		About: "a create", Method: "POST", Target: path, Credential: "not-a-real-api-key",
		Server: hex.EncodeToString(somewhere.Server[:]),
	}
	add := func(about, body string, change func(*sealed)) {
		v := good
		box, err := bundle.SealRequest(k.Recipient(), v.request(t), []byte(body))
		if err != nil {
			t.Fatal(err)
		}
		v.Sealed, v.Body = box, &body
		if change != nil {
			v.Body = nil
			change(&v)
		}
		v.About = about
		v.Info = hex.EncodeToString(bundle.RequestInfo(v.request(t), k.Recipient()))
		all = append(all, v)
	}
	const body = `{"name": "SOME_TOKEN", "value": "not-a-real-secret"}`
	add("a create", body, nil)
	add("an empty body", "", nil)
	for about, change := range inOrder {
		add(about, body, change)
	}
	return all
}

// inOrder has the ways in which a request can be another one.
func inOrder(yield func(string, func(*sealed)) bool) {
	_ = yield("to another server", func(v *sealed) { v.Server = v.Server[2:] + "ff" }) &&
		yield("with another method", func(v *sealed) { v.Method = "PUT" }) &&
		yield("to another path", func(v *sealed) { v.Target += "/preset" }) &&
		yield("with a query", func(v *sealed) { v.Target += "?a=b" }) &&
		yield("with another API key", func(v *sealed) { v.Credential += "." }) &&
		yield("without an API key", func(v *sealed) { v.Credential = "" }) &&
		yield("with a letter moved from the method to the path", func(v *sealed) {
			v.Method, v.Target = "POS", "T"+v.Target
		}) &&
		yield("with a bit flipped", func(v *sealed) { v.Sealed[len(v.Sealed)-1] ^= 1 })
}

func TestABundleIsNoRequestAndARequestNoBundle(t *testing.T) {
	for _, k := range keys(t) {
		box := mustSeal(t, k.Recipient(), payload("A", "x"))
		if _, err := bundle.OpenRequest(k, bundle.Request{}, box); !errors.Is(err, bundle.ErrOpen) {
			t.Error(err)
		}
		box, err := bundle.SealRequest(k.Recipient(), bundle.Request{}, []byte(whole))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := bundle.Open(k, somewhere, box); !errors.Is(err, bundle.ErrOpen) {
			t.Error(err)
		}
	}
}

func TestWhatIsEncapsulatedIsOfOneSealAlone(t *testing.T) {
	for _, k := range keys(t) {
		seen := map[string]bool{}
		for range 3 {
			box := mustSeal(t, k.Recipient(), payload("A", "x"))
			enc := k.Encapsulated(box)
			seen[string(enc)] = true
			if k.Encapsulated(box[:7+len(enc)-1]) != nil {
				t.Error("a part of it counts")
			}
		}
		if len(seen) != 3 {
			t.Errorf("%d of 3", len(seen))
		}
	}
}
