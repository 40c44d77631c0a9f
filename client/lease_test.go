package client_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keysake/keysake/client"
	"github.com/keysake/keysake/plaintext"
	"github.com/keysake/keysake/wire"
)

func TestEachMethodOfLeasesIsItsOperation(t *testing.T) {
	const id = "2489e9ad-2ee2-4e00-8ec9-32d5f69181c0"
	const leases, ticket = "/user/leases", "no-real-ticket"
	var got string
	c := at(t, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		path := strings.TrimPrefix(r.URL.RequestURI(), "/api/v1")
		got = strings.TrimSpace(fmt.Sprintf("%s %s %s", r.Method, path, b))
		who := shownKey
		if path == "/leases/redeem" {
			who = ticket
		}
		if r.Header.Get("Authorization") != "Bearer "+who {
			t.Errorf("%s carries another bearer token", got)
		}
		_, _ = io.WriteString(w, "{}")
	})
	ctx := t.Context()
	label, seconds := "nightly", int64(90)
	for want, call := range map[string]func() error{
		"POST " + leases + ` {"secret_ids":["` + id + `"],"delivery":"ticket","recipient":null,` +
			`"ttl_seconds":90,"run":{"id":null,"label":"nightly"},"broker":null}`: func() error {
			return second(c.CreateLease(ctx, wire.CreateLease{
				SecretIDs: []string{id}, Delivery: wire.DeliveryTicket, TTLSeconds: &seconds,
				Run: &wire.Run{Label: &label},
			}))
		},
		"GET " + leases: func() error { return second(c.ListLeases(ctx, client.LeaseFilter{})) },
		"GET " + leases + "?cursor=c&limit=7&run_id=a%26b&secret_id=" + id +
			"&state=active": func() error {
			return second(c.ListLeases(ctx, client.LeaseFilter{
				State: wire.LeaseActive, SecretID: id, RunID: "a&b", Limit: 7, Cursor: "c",
			}))
		},
		"GET " + leases + "/" + id:    func() error { return second(c.GetLease(ctx, id)) },
		"DELETE " + leases + "/" + id: func() error { return second(c.RevokeLease(ctx, id)) },
		`POST /leases/redeem {"recipient":"r"}`: func() error {
			return second(c.RedeemTicket(ctx, plaintext.FromString(ticket),
				wire.RedeemTicket{Recipient: "r"}))
		},
		"GET /user/secrets/health": func() error { return second(c.SecretHealths(ctx)) },
		"GET /user/secrets/" + id + "/health": func() error {
			return second(c.SecretHealth(ctx, id))
		},
		"POST /user/secrets/" + id + "/probe": func() error {
			return second(c.ProbeSecret(ctx, id))
		},
		"GET /user/secrets/usage": func() error { return second(c.SecretUsages(ctx)) },
		"GET /user/secrets/" + id + "/usage": func() error {
			return second(c.SecretUsage(ctx, id))
		},
	} {
		if err := call(); err != nil {
			t.Errorf("%s: %v", want, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
}
