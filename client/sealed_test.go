package client_test

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/keysake/keysake/bundle"
	"github.com/keysake/keysake/client"
	"github.com/keysake/keysake/plaintext"
	"github.com/keysake/keysake/wire"
)

// sealingServer is a server whose only key is replaced whenever next is called.
type sealingServer struct {
	t       *testing.T
	key     *bundle.Key
	id      int
	until   time.Time
	fetched int
	opened  []string // the bodies that opened
	answer  http.HandlerFunc
}

func newSealingServer(t *testing.T) (*sealingServer, *client.Client) {
	t.Helper()
	s := &sealingServer{t: t, until: time.Now().Add(time.Hour)}
	s.next()
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	c, err := client.New(srv.URL, plaintext.FromString(shownKey))
	if err != nil {
		t.Fatal(err)
	}
	return s, c
}

func (s *sealingServer) next() {
	key, err := bundle.NewKey(bundle.XWing)
	if err != nil {
		s.t.Fatal(err)
	}
	s.key, s.id = key, s.id+1
}

func (s *sealingServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	if s.answer != nil {
		s.answer(w, r)
		return
	}
	if r.URL.Path == "/api/v1/sealing-key" {
		s.fetched++
		if r.Header.Get("Authorization") != "" {
			s.t.Error("the API key is sent where it is not needed")
		}
		if r.Header.Get("Idempotency-Key")+r.Header.Get("If-Match") != "" {
			s.t.Error("the request for the key asks what another one is to ask")
		}
		w.Header().Set("ETag", `"of the key"`) // as a proxy may
		_ = json.NewEncoder(w).Encode(wire.SealingKey{
			ID: fmt.Sprint(s.id), Recipient: s.key.Recipient().String(),
			Server: "00000000-0000-0000-0000-000000000007", ExpiresAt: s.until,
		})
		return
	}
	want := fmt.Sprintf("application/keysake-sealed+json; key=%d", s.id)
	if r.Header.Get("Content-Type") != want {
		w.WriteHeader(http.StatusUnprocessableEntity)
		_ = json.NewEncoder(w).Encode(wire.Problem{
			Code: 422, Type: "validation_error",
			Errors: []wire.FieldError{{Type: wire.TypeSealingKey}},
		})
		return
	}
	var in struct {
		Sealed []byte `json:"sealed"`
	}
	if err := json.Unmarshal(body, &in); err != nil {
		s.t.Error(err)
	}
	opened, err := bundle.OpenRequest(s.key, bundle.Request{
		Server: [16]byte{15: 7}, Method: r.Method, Target: r.URL.RequestURI(),
		Credential: sha256.Sum256([]byte(shownKey)),
	}, in.Sealed)
	if err != nil {
		s.t.Error(err)
	}
	s.opened = append(s.opened, string(opened))
	_, _ = io.WriteString(w, "{}")
}

// create makes a secret, as a request with a body.
func create(t *testing.T, c *client.Client) error {
	t.Helper()
	in := wire.CreateSecret{Name: "A", Value: plaintext.FromString(hidden)}
	return second(c.CreateSecret(t.Context(), in))
}

func TestEveryBodyIsSealedToAKeyThatIsFetchedOnce(t *testing.T) {
	s, c := newSealingServer(t)
	for range 3 {
		if err := create(t, c); err != nil {
			t.Fatal(err)
		}
	}
	want := `{"name":"A","value":"` + hidden + `"}`
	if s.fetched != 1 || strings.Join(s.opened, "") != want+want+want {
		t.Errorf("%d fetches, and %d bodies", s.fetched, len(s.opened))
	}
}

func TestWhatAContextAsksIsNotOfTheRequestForTheKey(t *testing.T) {
	_, c := newSealingServer(t)
	tag := "before"
	ctx := client.WithETag(client.WithIfMatch(t.Context(), `"a"`), &tag)
	in := wire.UpdateSecret{Value: plaintext.FromString(hidden)}
	_, err := c.UpdateSecret(client.WithIdempotencyKey(ctx, "k"), "x", in)
	if err != nil || tag != "before" {
		t.Errorf("%v, and the tag %s", err, tag)
	}
}

func TestAKeyThatIsNotInUseAnyMoreIsFetchedAgain(t *testing.T) {
	s, c := newSealingServer(t)
	if err := create(t, c); err != nil {
		t.Fatal(err)
	}
	s.next()
	if err := create(t, c); err != nil || s.fetched != 2 || len(s.opened) != 2 {
		t.Errorf("%d fetches, and %d bodies: %v", s.fetched, len(s.opened), err)
	}
	s.until = time.Now().Add(-time.Second)
	s.next()
	for range 2 { // each fetches the key, which has expired already
		if err := create(t, c); err != nil {
			t.Fatal(err)
		}
	}
	if s.fetched != 4 {
		t.Errorf("%d fetches", s.fetched)
	}
}

func TestAKeyThatIsNeverInUseIsTriedTwice(t *testing.T) {
	s, c := newSealingServer(t)
	sent := 0
	good := *s
	s.answer = func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/api/v1/sealing-key" {
			good.ServeHTTP(w, r)
			return
		}
		sent++
		w.WriteHeader(http.StatusUnprocessableEntity)
		_, _ = io.WriteString(w, `{"code":422,"type":"validation_error","detail":"no",
			"errors":[{"loc":["header","Content-Type"],"msg":"no","type":"sealing_key"}]}`)
	}
	if err := create(t, c); err == nil || sent != 2 {
		t.Errorf("sent %d times: %v", sent, err)
	}
}

func TestWithoutAGoodSealingKeyNoBodyIsSent(t *testing.T) {
	s, c := newSealingServer(t)
	for _, key := range []string{
		"", "{}", `{"id":"a","recipient":"x-wing:AAAA","server":"` + nowhere + `"}`,
		`{"id":"a;b","server":"` + nowhere + `","recipient":"` + s.key.Recipient().String() + `"}`,
		`{"id":"a","server":"1","recipient":"` + s.key.Recipient().String() + `"}`,
	} {
		s.answer = func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/api/v1/sealing-key" {
				t.Error("a body is sent")
			}
			if key == "" {
				w.WriteHeader(http.StatusNotFound)
			}
			_, _ = io.WriteString(w, key)
		}
		assertRefused(t, key, create(t, c))
	}
}

const nowhere = "2489e9ad-2ee2-4e00-8ec9-32d5f69181c0"

func TestABundleInAnAnswerOpens(t *testing.T) {
	k, err := bundle.NewKey(bundle.XWing)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := bundle.Seal(k.Recipient(),
		bundle.Binding{Server: [16]byte{15: 1}, Lease: [16]byte{15: 2}, Purpose: bundle.PurposeEnv},
		bundle.Payload{Secrets: []bundle.Secret{
			{Name: "A", Version: 1, Value: plaintext.FromString(hidden)},
		}})
	if err != nil {
		t.Fatal(err)
	}
	in := wire.Bundle{
		Server: "00000000-0000-0000-0000-000000000001",
		Lease:  "00000000-0000-0000-0000-000000000002", Sealed: sealed,
	}
	got, err := client.OpenBundle(k, in)
	if err != nil || len(got.Secrets) != 1 || string(got.Secrets[0].Value.Reveal()) != hidden {
		t.Errorf("it does not open: %v", err)
	}
	for _, id := range []string{"", in.Server, "1", strings.Repeat("z", 36)} {
		other := in
		other.Lease = id
		_, err := client.OpenBundle(k, other)
		assertRefused(t, id, err)
	}
}

func TestAServerThatIsTooOldGetsNothingInTheClear(t *testing.T) {
	s, c := newSealingServer(t)
	s.answer = func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet {
			t.Errorf("%s %s was sent", r.Method, r.URL.Path)
		}
		w.WriteHeader(http.StatusNotFound)
		_ = json.NewEncoder(w).Encode(wire.Problem{Code: 404, Type: "not_found_error"})
	}
	if err := create(t, c); !errors.Is(err, client.ErrNoSealing) {
		t.Errorf("error %v", err)
	}
}
