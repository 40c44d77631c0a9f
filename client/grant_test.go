package client_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keysake/keysake/client"
	"github.com/keysake/keysake/plaintext"
	"github.com/keysake/keysake/wire"
)

func TestWhoActsForAnotherSaysSoButNotWithATicketOfTheirs(t *testing.T) {
	var got []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = append(got, r.URL.Path+" "+r.Header.Get(wire.HeaderActFor))
		_, _ = w.Write([]byte("{}"))
	}))
	defer server.Close()
	c, err := client.New(server.URL, plaintext.FromString("key"), client.ActingFor("mia"),
		client.WithoutSealing())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.ListSecrets(t.Context()); err != nil {
		t.Error(err)
	}
	_, err = c.RedeemTicket(t.Context(), plaintext.FromString("ticket"), wire.RedeemTicket{})
	if err != nil {
		t.Error(err)
	}
	want := []string{"/api/v1/user/secrets mia", "/api/v1/leases/redeem "}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
