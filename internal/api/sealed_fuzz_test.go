package api

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/keysake/keysake/bundle"
	"github.com/keysake/keysake/internal/vault"
	"github.com/keysake/keysake/wire"
)

const sealedContent = `{"value":"` + fuzzCanary + `"}`

// sealedSeeds returns the media types and bodies of a good request, and of every kind of bad one.
func sealedSeeds(tb testing.TB, k *bundle.Key) (seeds [][2]string) {
	tb.Helper()
	r := httptest.NewRequestWithContext(tb.Context(), http.MethodPost, "/api/v1/x", nil)
	good, err := bundle.SealRequest(k.Recipient(), boundTo(r), []byte(sealedContent))
	if err != nil {
		tb.Fatal(err)
	}
	body := func(sealed []byte) string {
		return `{"sealed":"` + base64.StdEncoding.EncodeToString(sealed) + `"}`
	}
	const media = sealedType + "; key=k"
	for _, m := range []string{media, sealedType, media + "; a=b"} {
		seeds = append(seeds, [2]string{m, body(good)})
	}
	for _, n := range []int{0, 1, 7, 39, len(good) - 1} {
		seeds = append(seeds, [2]string{media, body(good[:n])})
	}
	for _, b := range append(bodies, `{"sealed":"`, `{"sealed":""}`, `{"sealed":"?"}`) {
		seeds = append(seeds, [2]string{media, b})
	}
	return seeds
}

func TestTheFuzzerOfSealedRequestsHasSeeds(t *testing.T) {
	k, err := bundle.NewKey(bundle.XWing)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(sealedSeeds(t, k)); n < 30 {
		t.Errorf("only %d", n)
	}
}

// FuzzSealedRequest shows that nothing but what was sealed comes out of the reader, and that it
// refuses everything else as the client's mistake, without repeating it.
func FuzzSealedRequest(f *testing.F) {
	k, err := bundle.OwnKey(bundle.XWing, make([]byte, bundle.KeySize))
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range sealedSeeds(f, k) {
		f.Add(seed[0], seed[1])
	}
	open := func(id string, r bundle.Request, sealed []byte) (u vault.Unsealed, err error) {
		if id != "k" {
			return u, vault.ErrSealingKey
		}
		u.Body, err = bundle.OpenRequest(k, r, sealed)
		return u, err
	}
	d := newDecoder[wire.Sealed]()
	f.Fuzz(func(t *testing.T, media, body string) {
		body = strings.ReplaceAll(body, "@", fuzzCanary)
		r := &request{Request: post(t, []byte(body))}
		r.URL.Path = "/api/v1/x"
		r.Header.Set("Content-Type", media)
		content, err := r.unseal(d, open, 1<<10)
		if err != nil {
			p := problemOf(err)
			if p.status < 400 || p.status > 499 ||
				strings.Contains(fmt.Sprint(p.detail, p.errors), fuzzCanary) {
				t.Errorf("%d: %v", p.status, p.detail)
			}
			return
		}
		inner, err := io.ReadAll(r.Body)
		if err != nil || string(content) != sealedContent || string(inner) != sealedContent ||
			r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("something else comes out: %v", err)
		}
	})
}
