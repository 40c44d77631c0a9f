package apptest

import (
	"errors"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/keysake/keysake/client"
	"github.com/keysake/keysake/plaintext"
	"github.com/keysake/keysake/wire"
)

// LeaseForBroker makes a secret with a key of OpenAI, and a lease of it for the broker that allows
// POST alone.
func (s *Server) LeaseForBroker(tb testing.TB, value plaintext.Value) wire.Lease {
	tb.Helper()
	c := s.Client(tb)
	secret, err := c.CreateFromPreset(tb.Context(), wire.CreateFromPreset{
		Provider: "openai", Value: value,
	})
	Must(tb, err)
	label := "a run at the broker"
	lease, err := c.CreateLease(tb.Context(), wire.CreateLease{
		SecretIDs: []string{secret.ID}, Delivery: wire.DeliveryBroker,
		Run:    &wire.Run{Label: &label},
		Broker: &wire.BrokerLimits{Methods: &[]string{http.MethodPost}},
	})
	Must(tb, err)
	return lease
}

// AskInVain sends the broker a request that the lease does not allow.
func (s *Server) AskInVain(tb testing.TB, lease wire.Lease, path string) {
	tb.Helper()
	s.Ask(tb, lease, http.MethodGet, path, http.StatusForbidden)
}

// Ask sends the broker a request that is answered with a status, and waits for its record, which
// the broker keeps from time to time.
func (s *Server) Ask(tb testing.TB, lease wire.Lease, method, path string, status int) {
	tb.Helper()
	before := s.newest(tb, lease)
	r, err := http.NewRequestWithContext(
		tb.Context(), method, lease.Broker.URL+"/openai"+path, http.NoBody)
	Must(tb, err)
	r.Header.Set("Authorization", "Bearer "+lease.Broker.Secrets[0].Placeholder)
	resp, err := http.DefaultTransport.RoundTrip(r)
	Must(tb, err)
	_, err = io.Copy(io.Discard, resp.Body)
	Must(tb, errors.Join(err, resp.Body.Close()))
	if resp.StatusCode != status {
		tb.Fatalf("the broker answers with %d", resp.StatusCode)
	}
	for end := time.Now().Add(patience); s.newest(tb, lease) == before; {
		if time.Now().After(end) {
			tb.Fatal("the request is not recorded")
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// newest returns the id of the newest request of a lease that is recorded.
func (s *Server) newest(tb testing.TB, lease wire.Lease) string {
	tb.Helper()
	page, err := s.Client(tb).LeaseRequests(
		tb.Context(), lease.ID, client.RequestFilter{Limit: 1})
	Must(tb, err)
	if len(page.Requests) == 0 {
		return ""
	}
	return page.Requests[0].ID
}
