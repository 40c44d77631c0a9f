package rootkey_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/internal/rootkey"
	"github.com/keysake/keysake/internal/seal"
)

// tokenFile makes the token come from a file, as an agent writes it.
func tokenFile(t *testing.T, token string) (write func(string)) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "token")
	t.Setenv("VAULT_TOKEN", "")
	t.Setenv("VAULT_TOKEN_FILE", path)
	write = func(token string) { apptest.Must(t, os.WriteFile(path, []byte(token), 0o600)) }
	write(token)
	return write
}

func TestATokenThatExpiredIsReadAgainFromWhereItCame(t *testing.T) {
	transit := apptest.NewTransit(t)
	write := tokenFile(t, "first-token\n")
	transit.Token.Store("first-token")
	o := &rootkey.Opener{ServiceTimeout: time.Minute}
	root, err := o.Open(t.Context(), rootkey.Location{URL: apptest.TransitURL})
	apptest.Must(t, err)
	check, err := root.Check(t.Context())
	apptest.Must(t, err)
	refused := func(what string) {
		t.Helper()
		transit.Calls.Store(0)
		err := root.OpenCheck(t.Context(), check)
		if !errors.Is(err, seal.ErrService) || !strings.Contains(err.Error(), "status 403") ||
			strings.Contains(err.Error(), "token") {
			t.Errorf("%s: %v", what, err)
		}
		if n := transit.Calls.Load(); n > 2 {
			t.Errorf("%s: it was asked %d times", what, n)
		}
	}

	transit.Token.Store("second-token") // the first one expires while the server runs
	refused("the file has the old one")
	write("")
	refused("the file is empty")
	write("second token")
	refused("the file has no token")
	write("second-token")
	transit.Calls.Store(0)
	for range 2 {
		apptest.Must(t, root.OpenCheck(t.Context(), check))
	}
	if n := transit.Calls.Load(); n != 3 { // the refusal, the same again, and one without a refusal
		t.Errorf("it was asked %d times", n)
	}
}

func TestTheTokenGoesToTheConfiguredAddressOnly(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("%s was asked", r.Host)
	}))
	defer elsewhere.Close()
	transit, root := openTransit(t, time.Minute)
	for _, status := range []int{301, 302, 303, 307, 308} {
		transit.Answer(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL, status)
		})
		_, err := root.Check(t.Context())
		if !errors.Is(err, seal.ErrService) ||
			!strings.Contains(err.Error(), fmt.Sprint("status ", status)) {
			t.Errorf("%d: %v", status, err)
		}
	}
}

// An engine of key and value pairs would store what is to be encrypted.
func TestAnotherEngineThanTransitGetsNoOwnerKey(t *testing.T) {
	transit := apptest.NewTransit(t)
	largest := 0
	transit.Answer(func(w http.ResponseWriter, r *http.Request) {
		largest = max(largest, int(r.ContentLength))
		w.WriteHeader(http.StatusNoContent)
	})
	o := &rootkey.Opener{ServiceTimeout: time.Minute}
	root, err := o.Open(t.Context(), rootkey.Location{URL: "hashivault://k?engine=secret"})
	apptest.Must(t, err)
	// The first use of every root key is its check value, which holds no key.
	if _, err := root.Check(t.Context()); !errors.Is(err, seal.ErrService) {
		t.Errorf("it is taken for a transit engine: %v", err)
	}
	if largest > 80 {
		t.Errorf("%d bytes were sent", largest)
	}
}

func TestTheVariablesOfTheServiceAreChecked(t *testing.T) {
	transit := apptest.NewTransit(t)
	for _, c := range []struct{ name, value, want string }{
		{"VAULT_ADDR", "http://vault.example:8200", "https://"},
		{"VAULT_ADDR", "http://me:word@127.0.0.1:1", "VAULT_ADDR must be"},
		{"VAULT_ADDR", "127.0.0.1:8200", "VAULT_ADDR must be"},
		{"VAULT_ADDR", "ftp://127.0.0.1", "https://"},
		{"VAULT_ADDR", "https://vault.example?word", "VAULT_ADDR must be"},
		{"VAULT_ADDR", "", "VAULT_ADDR is not set"},
		{"VAULT_SKIP_VERIFY", "true", "VAULT_CACERT"},
		{"VAULT_CACERT", "/nowhere/ca.pem", "VAULT_CACERT"},
		{"VAULT_CACERT", os.Args[0], "has no certificate"},
		{"VAULT_CLIENT_CERT", "/nowhere/cert.pem", "VAULT_CLIENT_CERT"},
		{"VAULT_TOKEN_FILE", "/nowhere/token", "both set"},
	} {
		t.Run(c.name+"="+c.value, func(t *testing.T) {
			t.Setenv(c.name, c.value)
			_, err := new(rootkey.Opener).Open(
				t.Context(), rootkey.Location{URL: apptest.TransitURL})
			if err == nil || !strings.Contains(err.Error(), c.want) ||
				strings.Contains(err.Error(), "word") {
				t.Errorf("%v", err)
			}
		})
	}
	if transit.Calls.Load() != 0 {
		t.Error("the service was asked")
	}
}

func TestTheNamespaceIsSent(t *testing.T) {
	transit := apptest.NewTransit(t)
	t.Setenv("VAULT_NAMESPACE", "team")
	var sent, path string
	transit.Answer(func(w http.ResponseWriter, r *http.Request) {
		sent, path = r.Header.Get("X-Vault-Namespace"), r.URL.Path
		transit.Well(w, r)
	})
	t.Setenv("VAULT_ADDR", transit.URL()+"/")
	o := &rootkey.Opener{ServiceTimeout: time.Minute}
	root, err := o.Open(t.Context(), rootkey.Location{URL: apptest.TransitURL})
	apptest.Must(t, err)
	if _, err := root.Check(t.Context()); err != nil || sent != "team" ||
		path != "/v1/transit/encrypt/keysake" {
		t.Errorf("%q, %s: %v", sent, path, err)
	}
}

func TestAnAnswerThatIsNotHTTPIsInNoError(t *testing.T) {
	transit, root := openTransit(t, time.Minute)
	check, err := root.Check(t.Context())
	apptest.Must(t, err)
	transit.Answer(func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		apptest.Must(t, err)
		_, err = conn.Write([]byte("what was-decrypted\r\n\r\n"))
		apptest.Must(t, errors.Join(err, conn.Close()))
	})
	err = root.OpenCheck(t.Context(), check)
	if !errors.Is(err, seal.ErrService) || strings.Contains(err.Error(), "decrypted") {
		t.Error(err)
	}
}
