package crash_test

import (
	"crypto/rand"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/plaintext"
	"github.com/keysake/keysake/wire"
)

func TestAnEventSurvivesAServerThatIsKilledBeforeTheWebhookTookIt(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var ids []string
	status := http.StatusServiceUnavailable
	receiver := httptest.NewServer(http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			ids = append(ids, r.Header.Get("webhook-id"))
			w.WriteHeader(status)
		}))
	t.Cleanup(receiver.Close)
	got := func() []string {
		mu.Lock()
		defer mu.Unlock()
		return ids
	}
	file, key := filepath.Join(t.TempDir(), "webhook-key"), make([]byte, 32)
	_, _ = rand.Read(key)
	text := "whsec_" + base64.StdEncoding.EncodeToString(key)
	apptest.Must(t, os.WriteFile(file, []byte(text), 0o600))
	data := newData(t)
	flags := []string{"--webhook-url", receiver.URL, "--webhook-key-file", file}
	p := start(t, data, flags...)
	c := p.client(p.devKey())
	made, err := c.CreateSecret(t.Context(), wire.CreateSecret{
		Name: "A", Value: plaintext.FromString("a-value-of-nobody"),
	})
	apptest.Must(t, err)
	_, err = c.SetSecretExpiry(t.Context(), made.ID, wire.SecretExpiry{
		ExpiresAt:    wire.Timestamp{Time: time.Now().Add(time.Hour)},
		RemindBefore: new(int64(2 * 3600)),
	})
	apptest.Must(t, err)
	p.until("sent it in vain", func() bool { return len(got()) > 0 })
	p.kill()
	mu.Lock()
	before := len(ids)
	status = http.StatusOK
	mu.Unlock()
	p = start(t, data, flags...)
	p.until("sent it again", func() bool { return len(got()) > before })
	p.stop()
	for _, id := range got() {
		if id != ids[0] {
			t.Errorf("it was sent as %s and as %s", ids[0], id)
		}
	}
	if n := len(got()); n != before+1 {
		t.Errorf("it was sent %d times more after it had arrived", n-before-1)
	}
}
