package clients_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keysake/keysake/client"
	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/plaintext"
	"github.com/keysake/keysake/wire"
)

// api returns a client with the API key of the user dev.
func (l *lab) api() *client.Client {
	l.t.Helper()
	key, err := os.ReadFile(filepath.Join(l.data, "dev-api-key"))
	apptest.Must(l.t, err)
	c, err := client.New(l.url, plaintext.Own([]byte(strings.TrimSpace(string(key)))))
	apptest.Must(l.t, err)
	return c
}

// lease takes a lease of the only secret, as a container gets it: without "keysake run".
func (l *lab) lease(limits *wire.BrokerLimits) wire.Lease {
	l.t.Helper()
	list, err := l.api().ListSecrets(l.t.Context())
	apptest.Must(l.t, err)
	made, err := l.api().CreateLease(l.t.Context(), wire.CreateLease{
		SecretIDs: []string{list.Secrets[0].ID}, Delivery: wire.DeliveryBroker, Broker: limits,
	})
	apptest.Must(l.t, err)
	l.secrets = append(l.secrets, made.Broker.Secrets[0].Placeholder)
	return made
}

func TestAClientSeesALimitOfItsLeaseAsTheProvidersOwnAndDoesNotTryAgain(t *testing.T) {
	t.Parallel()
	for provider, answers := range map[string]dialect{"openai": openAI, "anthropic": anthropic} {
		t.Run(provider, func(t *testing.T) {
			t.Parallel()
			command := append(node(t, "limit"), provider)
			l := newLab(t, answers.handler())
			value := l.store(provider)
			l.limits = []string{"requests=1"}
			want := []step{
				{Step: "the first", Text: "c", Calls: 1},
				{
					Step: "one too many", Error: "RateLimitError", Status: 429, Rule: "limit",
					Calls: 1,
				},
			}
			if diff := cmp.Diff(want, l.steps(provider, value, command...)); diff != "" {
				t.Error(diff)
			}
			if got := l.requests(); len(got) != 1 {
				t.Errorf("the provider got %v", got)
			}
		})
	}
}

func TestAServerThatWasKilledGoesOnAndNothingEverPassesWithoutItsKey(t *testing.T) {
	t.Parallel()
	l := newLab(t, openAI.handler())
	value := l.store("openai")
	made := l.lease(nil)
	secret := made.Broker.Secrets[0]
	ask := func() string {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost,
			made.Broker.URL+secret.BaseURLs[0].Path+"/chat/completions",
			strings.NewReader(`{"model":"plain"}`))
		apptest.Must(t, err)
		r.Header.Set("Authorization", "Bearer "+secret.Placeholder)
		r.Close = true
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			return "none"
		}
		defer resp.Body.Close()
		_, _ = io.Copy(io.Discard, resp.Body)
		return fmt.Sprint(resp.StatusCode)
	}
	expect := func(what, status, key string) {
		t.Helper()
		if got := ask(); got != status {
			t.Errorf("%s: answered %s, want %s", what, got, status)
		}
		if got := l.requests(); key != "" {
			l.assertKeys(got, key, bearer)
		} else if len(got) > 0 {
			t.Errorf("%s: the provider got %v", what, got)
		}
	}
	expect("at first", "200", value)
	apptest.Must(t, l.cmd.Process.Kill())
	_ = l.cmd.Wait()
	expect("while the server is away", "none", "")
	l.brokerListen = strings.TrimPrefix(made.Broker.URL, "http://")
	l.start()
	expect("after a restart", "200", value)
	rotated := newKey("openai")
	l.secrets = append(l.secrets, rotated)
	_, err := l.api().UpdateSecret(t.Context(), secret.SecretID,
		wire.UpdateSecret{Value: plaintext.FromString(rotated)})
	apptest.Must(t, err)
	expect("after a rotation", "200", rotated)
	_, err = l.api().RevokeLease(t.Context(), made.ID)
	apptest.Must(t, err)
	expect("after the end", "403", "")
}
