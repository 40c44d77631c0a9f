package probe_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keysake/keysake/internal/catalog"
	"github.com/keysake/keysake/internal/netguard"
	"github.com/keysake/keysake/internal/probe"
	"github.com/keysake/keysake/plaintext"
)

// gitHub returns a stand-in, a prober, and a key of GitHub.
func gitHub(t *testing.T) (*provider, *probe.Prober, plaintext.Value) {
	t.Helper()
	known := load(t)
	provider, prober := newProvider(t, known)
	entry, _ := known.Entry("github")
	return provider, prober, keyFor(t, entry, "pat_classic")
}

func TestWhatTheProviderTellsOfTheKeyIsFound(t *testing.T) {
	t.Parallel()
	provider, prober, key := gitHub(t)
	for expiry, want := range map[string]time.Time{
		"2027-03-31 00:00:00 UTC":   time.Date(2027, 3, 31, 0, 0, 0, 0, time.UTC),
		"2027-03-31 02:00:00 +0200": time.Date(2027, 3, 31, 0, 0, 0, 0, time.UTC),
		"0000-01-01 00:00:00 +0100": {}, // no JSON has the year before 0
		"9999-12-31 23:59:59 -0100": {},
		"soon":                      {},
	} {
		provider.answers(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-OAuth-Scopes", "repo, read:org")
			w.Header().Set("GitHub-Authentication-Token-Expiration", expiry)
			_, _ = w.Write([]byte(`{"login": "octo\u0007cat", "type": "User", "id": 1}`))
		})
		found, err := prober.Probe(t.Context(), "github", key)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(catalog.Finding{
			Outcome: catalog.OutcomeValid, Check: "user", Status: 200, ExpiresAt: want,
			Facts: map[string]string{
				"account": "octocat", "account_type": "User", "scopes": "repo, read:org",
			},
		}, found); diff != "" {
			t.Errorf("%s (-want +got):\n%s", expiry, diff)
		}
	}
}

func TestNoPartOfTheKeyIsAFact(t *testing.T) {
	t.Parallel()
	provider, prober, key := gitHub(t)
	text := string(key.Reveal())
	for _, echoed := range []string{text, text[:10], "…" + text[len(text)-10:]} {
		provider.answers(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-OAuth-Scopes", echoed)
			_, _ = w.Write([]byte(`{"login": "` + echoed + `", "type": "User"}`))
		})
		found, err := prober.Probe(t.Context(), "github", key)
		if diff := cmp.Diff(map[string]string{"account_type": "User"}, found.Facts); err != nil ||
			diff != "" {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
	}
}

func TestAnAnswerInAnotherShapeTellsNothing(t *testing.T) {
	t.Parallel()
	provider, prober, key := gitHub(t)
	for name, body := range map[string]string{
		"a page of a firewall": "<html>Access denied</html>", "nothing": "",
		"another document": `{"error": "blocked"}`, "a text": `"Unauthorized"`,
		"half a document": `{"message": "Bad cred`, "a list": `[{"message": "x"}]`,
	} {
		for _, status := range []int{200, 401, 403, 429} {
			provider.answers(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(status)
				_, _ = w.Write([]byte(body))
			})
			found, err := prober.Probe(t.Context(), "github", key)
			if err != nil || found.Outcome != catalog.OutcomeIndeterminate {
				t.Errorf("%s with status %d: %+v, %v", name, status, found, err)
			}
		}
	}
}

func TestALongAnswerIsReadInPart(t *testing.T) {
	t.Parallel()
	known := load(t)
	provider, prober := newProvider(t, known)
	entry, _ := known.Entry("openai")
	provider.answers(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"object": "list", "data": [{"id": "` +
			strings.Repeat("x", 1<<20) + `"}]}`))
	})
	found, err := prober.Probe(t.Context(), "openai", keyFor(t, entry, "project"))
	if err != nil || found.Outcome != catalog.OutcomeValid {
		t.Errorf("%+v, %v", found, err)
	}
}

func TestARedirectIsNotFollowed(t *testing.T) {
	t.Parallel()
	provider, prober, key := gitHub(t)
	provider.answers(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "https://api.openai.com/v1/models", http.StatusFound)
	})
	found, err := prober.Probe(t.Context(), "github", key)
	if err != nil || found.Outcome != catalog.OutcomeIndeterminate || found.Status != 302 {
		t.Errorf("%+v, %v", found, err)
	}
	if n := len(provider.requests()); n != 1 {
		t.Errorf("%d requests were sent", n)
	}
}

func TestAProviderThatIsAwayIsAnErrorWithoutTheKey(t *testing.T) {
	t.Parallel()
	provider, prober, key := gitHub(t)
	provider.answers(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	_, err := prober.Probe(t.Context(), "github", key)
	if err == nil || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	if n := len(provider.requests()); n != 1 {
		t.Errorf("it was asked %d times", n)
	}

	slow := make(chan struct{})
	defer close(slow)
	provider.answers(func(http.ResponseWriter, *http.Request) { <-slow })
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, late := prober.Probe(ctx, "github", key)
	if !errors.Is(late, context.DeadlineExceeded) {
		t.Errorf("got %v", late)
	}

	known := load(t)
	guarded := netguard.New(netguard.Options{Hosts: nil}).Transport()
	_, refused := probe.New(known, guarded, userAgent).Probe(t.Context(), "openai",
		plaintext.FromString("first\nsecond"))
	for _, err := range []error{err, late, refused} {
		if err == nil || strings.Contains(err.Error(), string(key.Reveal())) ||
			strings.Contains(err.Error(), "second") || strings.Contains(err.Error(), "https://") {
			t.Errorf("got %v", err)
		}
	}
}
