package server_test

import (
	"crypto/rand"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/plaintext"
	"github.com/keysake/keysake/wire"
)

// Both are told that there is something to tell at the same moment.
func TestTwoServersOnOnePostgreSQLTellTheWebhookOnceThroughTheGuard(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	got := map[string]int{}
	receiver := httptest.NewUnstartedServer(http.HandlerFunc(
		func(_ http.ResponseWriter, r *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			got[r.Header.Get("webhook-id")]++
		}))
	receiver.TLS = &tls.Config{
		Certificates: []tls.Certificate{providerPair}, MinVersion: tls.VersionTLS12,
	}
	receiver.StartTLS()
	defer receiver.Close()
	file, key := filepath.Join(t.TempDir(), "webhook-key"), make([]byte, 32)
	_, _ = rand.Read(key)
	text := "whsec_" + base64.StdEncoding.EncodeToString(key)
	apptest.Must(t, os.WriteFile(file, []byte(text), 0o600))
	first, second, _ := twoServers(t, func(c *config.Config) {
		c.WebhookURL, c.WebhookKeyFile = "https://hook.example.org/keysake", file
		c.EgressAllow = apptest.Egress(receiver.Listener.Addr().String(), "hook.example.org")
	})
	const secrets = 10
	for n := range secrets {
		client := first.Client(t)
		if n%2 == 0 {
			client = second.Client(t)
		}
		made, err := client.CreateSecret(t.Context(), wire.CreateSecret{
			Name: fmt.Sprint("S", n), Value: plaintext.FromString("a-value-of-nobody"),
		})
		apptest.Must(t, err)
		_, err = client.SetSecretExpiry(t.Context(), made.ID, wire.SecretExpiry{
			ExpiresAt:    wire.Timestamp{Time: time.Now().Add(time.Hour)},
			RemindBefore: new(int64(2 * 3600)),
		})
		apptest.Must(t, err)
	}
	all := func() int {
		mu.Lock()
		defer mu.Unlock()
		return len(got)
	}
	for all() < secrets {
		time.Sleep(10 * time.Millisecond)
	}
	first.Stop(t)
	second.Stop(t)
	for id, times := range got {
		if times != 1 {
			t.Errorf("%s was sent %d times", id, times)
		}
	}
}
