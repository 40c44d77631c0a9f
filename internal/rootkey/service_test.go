package rootkey_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/internal/rootkey"
	"github.com/keysake/keysake/internal/seal"
)

// patience is what a key service gets in these tests, in all.
const patience = 400 * time.Millisecond

// openTransit returns the root key that a stand-in keeps.
func openTransit(t *testing.T, timeout time.Duration) (*apptest.Transit, seal.RootKey) {
	t.Helper()
	transit := apptest.NewTransit(t)
	o := &rootkey.Opener{ServiceTimeout: timeout}
	root, err := o.Open(t.Context(), rootkey.Location{URL: apptest.TransitURL})
	if err != nil {
		t.Fatal(err)
	}
	return transit, root
}

func newOwnerKey(t *testing.T) seal.OwnerKey {
	t.Helper()
	key, err := seal.NewOwnerKey()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestAKeyServiceWrapsAndUnwraps(t *testing.T) {
	transit, root := openTransit(t, time.Minute)
	user, key := uuid.New(), newOwnerKey(t)
	id := key.ID()
	blob, err := root.Wrap(t.Context(), user, key)
	if err != nil {
		t.Fatal(err)
	}
	again, err := root.Unwrap(t.Context(), user, id, blob)
	if err != nil || !again.Equal(key) {
		t.Fatalf("it opens to another key, or not: %v", err)
	}
	if _, err := root.Unwrap(t.Context(), uuid.New(), id, blob); !errors.Is(err, seal.ErrTampered) {
		t.Errorf("moved to another user it opens: %v", err)
	}
	check, err := root.Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := root.OpenCheck(t.Context(), check); err != nil {
		t.Error(err)
	}
	if n := transit.Calls.Load(); n != 5 {
		t.Errorf("it was asked %d times, want once for each", n)
	}
}

func TestWhatAKeyServiceDoesWrongIsToldApart(t *testing.T) {
	raw := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) }
	}
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		want   error
		calls  int64
	}{
		"an error of its own": {apptest.TransitError(
			http.StatusInternalServerError, "broken",
		), seal.ErrService, 3},
		"sealed": {apptest.TransitError(
			http.StatusServiceUnavailable, "Vault is sealed",
		), seal.ErrService, 3},
		"too many requests": {apptest.TransitError(
			http.StatusTooManyRequests, "slow down",
		), seal.ErrService, 3},
		"permission denied": {apptest.TransitError(
			http.StatusForbidden, "permission denied",
		), seal.ErrService, 1},
		"no such key": {apptest.TransitError(
			http.StatusNotFound, "no such key",
		), seal.ErrService, 1},
		"no JSON": {raw("<html>"), seal.ErrService, 3},
		"nothing": {raw(""), seal.ErrService, 3},
		"no data": {raw("{}"), seal.ErrService, 3},
		"another type": {raw(
			`{"data":{"ciphertext":1,"plaintext":1}}`,
		), seal.ErrService, 3},
		"no base64": {raw(
			`{"data":{"ciphertext":"","plaintext":"*"}}`,
		), seal.ErrService, 3},
		"another plaintext": {raw(`{"data":{"plaintext":"AAAA"}}`), seal.ErrService, 1},
		"no answer in time": {apptest.Silence, seal.ErrServiceTimeout, 3},
		"a connection that is": {func(http.ResponseWriter, *http.Request) {
			panic(http.ErrAbortHandler)
		}, seal.ErrServiceTimeout, 3},
	} {
		t.Run(name, func(t *testing.T) {
			transit, root := openTransit(t, patience)
			check, err := root.Check(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			transit.Answer(c.answer)
			transit.Calls.Store(0)
			began := time.Now()
			if err := root.OpenCheck(t.Context(), check); !errors.Is(err, c.want) {
				t.Errorf("the error is %v", err)
			} else if strings.Contains(err.Error(), "\n") {
				t.Errorf("the error has several lines: %q", err)
			}
			if took := time.Since(began); took > 5*patience {
				t.Errorf("it took %s", took)
			}
			if n := transit.Calls.Load(); n > c.calls || n < min(c.calls, 2) {
				t.Errorf("it was asked %d times, want %d", n, c.calls)
			}
			transit.Answer(nil)
			if err := root.OpenCheck(t.Context(), check); err != nil {
				t.Errorf("it does not recover: %v", err)
			}
		})
	}
}

func TestAKeyServiceThatIsNotThereIsNotWaitedFor(t *testing.T) {
	transit, root := openTransit(t, patience)
	transit.Close()
	if _, err := root.Check(t.Context()); !errors.Is(err, seal.ErrServiceTimeout) {
		t.Errorf("the error is %v", err)
	}
}

func TestNoErrorRepeatsWhatWasToBeSealed(t *testing.T) {
	transit, root := openTransit(t, patience)
	var sent string
	transit.Answer(func(w http.ResponseWriter, r *http.Request) {
		var in struct{ Plaintext string }
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			t.Error(err)
		}
		sent = in.Plaintext
		apptest.TransitError(http.StatusBadRequest, "cannot seal "+in.Plaintext)(w, r)
	})
	_, err := root.Wrap(t.Context(), uuid.New(), newOwnerKey(t))
	if !errors.Is(err, seal.ErrService) || sent == "" || strings.Contains(err.Error(), sent) {
		t.Errorf("the error repeats it, or is another: %t", errors.Is(err, seal.ErrService))
	}
	if plain, err := base64.StdEncoding.DecodeString(sent); err != nil || len(plain) != 64 {
		t.Errorf("%d bytes were sent (%v)", len(plain), err)
	}
}

func TestAServiceThatEncryptsNothingIsRefused(t *testing.T) {
	transit, root := openTransit(t, patience)
	transit.Answer(func(w http.ResponseWriter, r *http.Request) {
		var in struct{ Plaintext string }
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			t.Error(err)
		}
		plain, _ := base64.StdEncoding.DecodeString(in.Plaintext)
		_ = json.NewEncoder(w).
			Encode(
				map[string]any{
					"data": map[string]string{"ciphertext": "vault:v1:" + string(plain)},
				},
			)
	})
	// JSON replaces bytes that are no UTF-8, so that what comes back is at most like what was sent;
	// that it does not open is found when it is checked.
	blob, err := root.Check(t.Context())
	if err == nil {
		transit.Answer(nil)
		err = root.OpenCheck(t.Context(), blob)
	}
	if !errors.Is(err, seal.ErrService) {
		t.Errorf("the error is %v", err)
	}
}

func TestOneKeyServiceURLDoesNotChangeAnother(t *testing.T) {
	transit := apptest.NewTransit(t)
	o := &rootkey.Opener{ServiceTimeout: patience}
	for url, want := range map[string]error{
		"hashivault://keysake?engine=elsewhere": seal.ErrService, apptest.TransitURL: nil,
	} {
		root, err := o.Open(t.Context(), rootkey.Location{URL: url})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := root.Check(t.Context()); !errors.Is(err, want) {
			t.Errorf("%s: %v", url, err)
		}
	}
	if transit.Calls.Load() != 2 {
		t.Errorf("it was asked %d times", transit.Calls.Load())
	}
	t.Setenv("VAULT_ADDR", "")
	_, err := o.Open(t.Context(), rootkey.Location{URL: apptest.TransitURL})
	if err == nil || !strings.Contains(err.Error(), "VAULT_ADDR") {
		t.Errorf("without an address: %v", err)
	}
}
