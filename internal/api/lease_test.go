package api_test

import (
	"testing"

	"github.com/keysake/keysake/bundle"
	"github.com/keysake/keysake/plaintext"
	"github.com/keysake/keysake/wire"
)

func TestATicketIsRedeemedOnceAndTheSecondTryIsSeen(t *testing.T) {
	t.Parallel()
	s := start(t)
	me := s.person(t)
	made := s.lease(t, me.key)
	ticket := plaintext.FromString(made.Ticket)
	own, err := bundle.NewKey(bundle.X25519)
	if err != nil {
		t.Fatal(err)
	}
	redeem := post("/api/v1/leases/redeem", ticket,
		encode(t, members{"recipient": own.Recipient().String()}))
	got := into[wire.Lease](t, s.do(t, redeem).want(t, 200))
	if got.State != wire.LeaseRedeemed || got.Bundle == nil || got.Bundle.Lease != made.ID ||
		got.Ticket != "" || *got.Secrets[0].Version != 1 {
		t.Errorf("redeemed: %+v", got)
	}
	s.do(t, redeem).want(t, 409)
	list := into[wire.LeaseList](t, s.do(t, get(leasesPath+"?state=disputed", me.key)).want(t, 200))
	if len(list.Leases) != 1 || list.Leases[0].ID != made.ID || list.Next != nil {
		t.Errorf("the list of disputed leases: %+v", list)
	}
	revoked := into[wire.RevokedLease](t, s.do(t, del(leasesPath+"/"+made.ID, me.key)).want(t, 200))
	if !revoked.Delivered || revoked.Lease.State != wire.LeaseRevoked {
		t.Errorf("revoked: %+v", revoked)
	}
	s.do(t, redeem).want(t, 401)
	s.do(t, get(userPath, ticket)).want(t, 401) // a ticket is no API key
	redeem.key = me.key
	s.do(t, redeem).want(t, 401) // and an API key no ticket
}

func TestLeasesAreListedByPages(t *testing.T) {
	t.Parallel()
	s := start(t)
	me := s.person(t)
	id := s.secret(t, me.key, "ONE", "any-value")
	body := encode(t, members{
		"secret_ids": []string{id}, "delivery": "ticket", "run": members{"id": "run-1"},
	})
	for range 3 {
		s.do(t, post(leasesPath, me.key, body)).want(t, 201)
	}
	seen, path := 0, leasesPath+"?limit=2&run_id=run-1&secret_id="+id
	for next := ""; ; {
		page := into[wire.LeaseList](t, s.do(t, get(path+next, me.key)).want(t, 200))
		seen += len(page.Leases)
		if page.Next == nil {
			break
		}
		next = "&cursor=" + *page.Next
	}
	if seen != 3 {
		t.Errorf("%d leases were listed", seen)
	}
	for _, query := range []string{
		"?state=open", "?limit=201", "?cursor=1", "?secret_id=1", "?x=1",
	} {
		s.do(t, get(leasesPath+query, me.key)).want(t, 422)
	}
	usage := into[wire.SecretUsage](t,
		s.do(t, get(secretsPath+"/"+id+"/usage", me.key)).want(t, 200))
	if usage.Uses != 0 || usage.LastLease != nil || len(usage.LiveLeases) != 3 {
		t.Errorf("usage: %+v", usage)
	}
}
