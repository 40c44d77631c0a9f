package readers_test

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/keysake/keysake/internal/webhook"
)

// An arrival is what a receiver of the webhook has of an event.
type arrival struct {
	Key     string            `json:"key"`
	Headers map[string]string `json:"headers"`
	Body    string            `json:"body"`
}

const receive = `
import json, sys
try:
    event = json.load(sys.stdin)
    print(verify(event["key"], event["headers"], event["body"].encode()))
except ValueError as refused:
    print(refused)
`

// newWebhookKey returns a key, and the path of a file with it.
func newWebhookKey(t *testing.T) (key, file string) {
	t.Helper()
	secret := make([]byte, 32)
	_, _ = rand.Read(secret)
	key = "whsec_" + base64.StdEncoding.EncodeToString(secret)
	file = filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte(key), 0o600); err != nil {
		t.Fatal(err)
	}
	return key, file
}

func TestTheReaderOfThePageVerifiesWhatTheWebhookIsTold(t *testing.T) {
	key, file := newWebhookKey(t)
	other, _ := newWebhookKey(t)
	keys, err := webhook.ReadKeys(file)
	if err != nil {
		t.Fatal(err)
	}
	send := func(at time.Time) arrival {
		t.Helper()
		got := arrival{Key: key, Headers: map[string]string{}}
		receiver := httptest.NewServer(http.HandlerFunc(
			func(_ http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				got.Body = string(body)
				for name := range r.Header {
					got.Headers[strings.ToLower(name)] = r.Header.Get(name)
				}
			}))
		defer receiver.Close()
		to := webhook.New(receiver.URL, keys, http.DefaultTransport)
		m := webhook.Message{ID: "an-id", Body: `{"type":"secret.invalid","name":"ü"}`}
		if err := to.Send(t.Context(), m, at); err != nil {
			t.Fatal(err)
		}
		return got
	}
	page, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile("(?ms)^```python\n(.*?)^```$").FindSubmatch(page)
	if found == nil {
		t.Fatal("the page has no reader")
	}
	verify := func(a arrival) string {
		t.Helper()
		in, err := json.Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), "python3", "-c", string(found[1])+receive)
		cmd.Stdin = bytes.NewReader(in)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return strings.TrimSpace(string(out))
	}
	now := time.Now()
	good := send(now)
	changed, foreign := good, good
	changed.Body += " "
	foreign.Key = other
	for _, c := range []struct {
		what string
		arrival
		want string
	}{
		{"an event", good, "an-id"},
		{"an old one", send(now.Add(-time.Hour)), "the event is too old"},
		{"a changed one", changed, "the signature is of another key"},
		{"one of another key", foreign, "the signature is of another key"},
	} {
		if got := verify(c.arrival); got != c.want {
			t.Errorf("%s: %s, want %s", c.what, got, c.want)
		}
	}
}
