package api_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keysake/keysake/bundle"
	"github.com/keysake/keysake/client"
	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/plaintext"
	"github.com/keysake/keysake/wire"
)

func TestATicketIsRedeemedOnceAndTheSecondTryIsSeen(t *testing.T) {
	t.Parallel()
	s := start(t)
	me := s.person(t)
	made := s.lease(t, me.key)
	ticket := plaintext.FromString(made.Ticket)
	own := bundleKey(t)
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
		"?state=open", "?limit=201", "?cursor=1", "?secret_id=1", "?x=1", "?limit=1;state=active",
		"?run_id=%zz", "?run_id=a%", "?limit=1&limit=1", "?run_id=%ff", "?%e4=1", "?limit=%2b1",
		"?cursor=" + nowhere,
	} {
		s.do(t, get(leasesPath+query, me.key)).want(t, 422)
	}
	usage := into[wire.SecretUsage](t,
		s.do(t, get(secretsPath+"/"+id+"/usage", me.key)).want(t, 200))
	if usage.Uses != 0 || usage.LastLease != nil || len(usage.LiveLeases) != 3 {
		t.Errorf("usage: %+v", usage)
	}
}

func TestALeaseWithAnIdempotencyKeyIsMadeOnce(t *testing.T) {
	t.Parallel()
	s := start(t)
	own := bundleKey(t)
	for delivery, recipient := range map[string]any{
		wire.DeliveryTicket: nil, wire.DeliveryBundle: own.Recipient().String(),
	} {
		me, other := s.person(t), s.person(t)
		body := func(key plaintext.Value, label string) string {
			id := s.secret(t, key, "ONE"+label, "any-value")
			return encode(t, members{
				"secret_ids": []string{id}, "delivery": delivery, "recipient": recipient,
				"run": members{"label": label},
			})
		}
		mine, hers := body(me.key, "mine"), body(other.key, "hers")
		create := post(leasesPath, me.key, mine).with("Idempotency-Key", "my request")
		first := into[wire.Lease](t, s.do(t, create).want(t, 201))
		for _, c := range []call{create, create, s.sealer(t).seal(t, create)} {
			again := into[wire.Lease](t, s.do(t, c).want(t, 201))
			if delivery == wire.DeliveryTicket {
				if diff := cmp.Diff(first, again); diff != "" {
					t.Errorf("the ticket is answered otherwise:\n%s", diff)
				}
				continue
			}
			opened, err := client.OpenBundle(own, *again.Bundle)
			if err != nil || len(opened.Secrets) != 1 || opened.Secrets[0].Name != "ONEmine" {
				t.Errorf("the bundle that is sealed again: %v", err)
			}
			again.Bundle = first.Bundle
			if diff := cmp.Diff(first, again); diff != "" {
				t.Errorf("the bundle is answered otherwise:\n%s", diff)
			}
		}
		for _, changed := range []string{
			strings.Replace(mine, `"mine"`, `"other"`, 1), strings.Replace(mine, "{", "{ ", 1),
		} {
			s.do(t, post(leasesPath, me.key, changed).with("Idempotency-Key", "my request")).
				refused(t, 422, "header.Idempotency-Key value_error")
		}
		s.do(t, post(secretsPath, me.key, custom).with("Idempotency-Key", "my request")).
			refused(t, 422, "header.Idempotency-Key value_error")
		foreign := s.do(t, post(leasesPath, other.key, hers).with("Idempotency-Key", "my request"))
		if got := into[wire.Lease](t, foreign.want(t, 201)); got.ID == first.ID {
			t.Error("another user's request with the key is this one")
		}
		// The same request of another user is refused for what it asks, not for its name.
		third := s.person(t)
		s.do(t, post(leasesPath, third.key, mine).with("Idempotency-Key", "my request")).
			refused(t, 404)
		list := into[wire.LeaseList](t, s.do(t, get(leasesPath, me.key)).want(t, 200))
		if len(list.Leases) != 1 {
			t.Errorf("there are %d leases", len(list.Leases))
		}
		s.do(t, del(leasesPath+"/"+first.ID, me.key)).want(t, 200)
		s.do(t, create).refused(t, 409)
	}
}

func bundleKey(t *testing.T) *bundle.Key {
	t.Helper()
	own, err := bundle.NewKey(bundle.X25519)
	if err != nil {
		t.Fatal(err)
	}
	return own
}

// A hundred who ask at once, in every spelling of one request, get one lease.
func TestOfManyTwinsOneLeaseIsMade(t *testing.T) {
	t.Parallel()
	s := start(t)
	me := s.person(t)
	id := s.secret(t, me.key, "ONE", "any-value")
	body := encode(t, members{"secret_ids": []string{id}, "delivery": wire.DeliveryTicket})
	answers := make([]answer, 100)
	var twins sync.WaitGroup
	for i := range answers {
		twins.Go(func() {
			answers[i] = s.do(t, post(leasesPath, me.key, body).with("Idempotency-Key", "twin"))
		})
	}
	twins.Wait()
	for _, a := range answers {
		sentAgain(t, answers[0], a.want(t, 201))
	}
	list := into[wire.LeaseList](t, s.do(t, get(leasesPath, me.key)).want(t, 200))
	if len(list.Leases) != 1 {
		t.Errorf("there are %d leases", len(list.Leases))
	}
}

// Whoever has tickets that were used, which are of no worth, takes nothing from their user's rate.
func TestUsedTicketsTakeNothingFromTheRateOfTheirUser(t *testing.T) {
	t.Parallel()
	s := start(t, func(c *config.Config) {
		c.RateLimit, c.UserRateLimit, c.UserRateBurst = 100, 1, 10
	})
	me := s.person(t)
	made := s.lease(t, me.key)
	redeem := post("/api/v1/leases/redeem", plaintext.FromString(made.Ticket),
		encode(t, members{"recipient": bundleKey(t).Recipient().String()}))
	s.do(t, redeem).want(t, 200)
	for range 20 {
		s.do(t, redeem).want(t, 409)
	}
	s.do(t, get(userPath, me.key)).want(t, 200)
}
