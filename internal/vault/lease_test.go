package vault_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/keysake/keysake/bundle"
	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/policy"
	"github.com/keysake/keysake/internal/vault"
)

// runner is the key of whoever opens the bundles of these tests.
var runner = sync.OnceValue(func() *bundle.Key { return must(bundle.NewKey(bundle.XWing)) })

func recipient() vault.Recipient {
	return must(vault.NewRecipient(runner().Recipient().String()))
}

// leaseOf asks for a lease of secrets.
func leaseOf(d vault.Delivery, secrets ...uuid.UUID) vault.LeaseRequest {
	var ids []string
	for _, id := range secrets {
		ids = append(ids, id.String())
	}
	r := vault.LeaseRequest{Secrets: must(vault.NewSecretIDs(ids)), Delivery: d}
	if d == vault.ByBundle {
		r.Recipient = recipient()
	}
	return r
}

func bundleOf(secrets ...uuid.UUID) vault.LeaseRequest {
	return leaseOf(vault.ByBundle, secrets...)
}

func ticketOf(secrets ...uuid.UUID) vault.LeaseRequest {
	return leaseOf(vault.ByTicket, secrets...)
}

// lease makes a lease with a ticket.
func (p *fixture) lease(who vault.Actor, secrets ...vault.Secret) vault.Delivered {
	p.t.Helper()
	var ids []uuid.UUID
	for _, s := range secrets {
		ids = append(ids, s.ID)
	}
	made, err := p.CreateLease(p.t.Context(), who, ticketOf(ids...))
	p.must(err)
	return made
}

// redeem presents a ticket from an address.
func (p *fixture) redeem(of vault.Delivered, from string) (vault.Delivered, error) {
	p.t.Helper()
	who, err := p.AuthenticateTicket(p.t.Context(), of.Ticket)
	if err != nil {
		return vault.Delivered{}, err
	}
	who.Client = netip.MustParseAddr(from)
	return p.RedeemTicket(p.t.Context(), who, recipient())
}

// assertHas opens a bundle and checks what is in it: values by name.
func (p *fixture) assertHas(d vault.Delivered, want map[string]vault.Value) {
	p.t.Helper()
	at := bundle.Binding{Server: d.Server, Lease: d.ID, Purpose: bundle.PurposeEnv}
	payload, err := bundle.Open(runner(), at, d.Bundle)
	p.must(err)
	if len(payload.Secrets) != len(want) {
		p.t.Errorf("it has %d secrets", len(payload.Secrets))
	}
	for i, s := range payload.Secrets {
		value := want[s.Name]
		if string(s.Value.Reveal()) != string(value.Plain().Reveal()) {
			p.t.Errorf("%s is another value", s.Name)
		}
		shown := d.Secrets[i]
		if shown.Name != s.Name || shown.ID != s.ID || shown.Version != s.Version {
			p.t.Errorf("the lease tells of %+v, the bundle has %s of version %d", shown, s.Name,
				s.Version)
		}
	}
	if !payload.ExpiresAt.Equal(d.ExpiresAt.Truncate(time.Second)) &&
		!payload.ExpiresAt.Equal(d.ExpiresAt) {
		p.t.Errorf("the bundle ends at %v, the lease at %v", payload.ExpiresAt, d.ExpiresAt)
	}
}

func (p *fixture) state(who vault.Actor, id uuid.UUID) vault.LeaseState {
	p.t.Helper()
	l, err := p.GetLease(p.t.Context(), who, id)
	p.must(err)
	return l.State
}

func (p *fixture) assertState(who vault.Actor, id uuid.UUID, want vault.LeaseState) {
	p.t.Helper()
	if got := p.state(who, id); got != want {
		p.t.Errorf("the lease is %s, not %s", got, want)
	}
}

func TestABundleHasTheCurrentValuesForItsRecipient(t *testing.T) {
	p := start(t)
	ann := p.user("ann")
	two, one := p.secret(ann, "TWO", fake("2")), p.secret(ann, "ONE", fake("1"))
	p.secret(ann, "OTHER", fake("3"))
	p.must(second(p.UpdateSecret(t.Context(), ann, one.ID, fake("new"))))
	request := bundleOf(two.ID, one.ID)
	request.Run = vault.Run{ID: "run-1", Label: "nightly"}
	var made vault.Delivered
	got := p.newEntries(ann.User, func() {
		made = must(p.CreateLease(t.Context(), ann, request))
	})
	p.assertHas(made, map[string]vault.Value{"ONE": fake("new"), "TWO": fake("2")})
	entry := func(s vault.Secret, version uint64) audit.Entry {
		e := done(ann.User, ann, policy.LeaseCreate, s.ID, s.Name, version)
		e.Target.Kind, e.Lease, e.Run = audit.TargetSecret, made.ID, "run-1"
		return e
	}
	p.assertEntries(got, entry(one, 2), entry(two, 1))
	p.assertState(ann, made.ID, vault.LeaseRedeemed)
	if made.ExpiresAt.Sub(made.CreatedAt) != time.Hour || made.APIKey != ann.Credential.ID ||
		made.Run != request.Run {
		t.Errorf("%+v", made.StoredLease)
	}
	p.assertChain(ann.User)
}

func TestOneSecretThatIsNotTheCallersGrantsNothing(t *testing.T) {
	p := start(t)
	ann, ben := p.user("ann"), p.user("ben")
	mine, bens := p.secret(ann, "MINE", fake("1")), p.secret(ben, "BENS", fake("2"))
	before := p.entries()
	for _, d := range []vault.Delivery{vault.ByBundle, vault.ByTicket} {
		for _, other := range []uuid.UUID{bens.ID, uuid.New(), ann.User} {
			made, err := p.CreateLease(t.Context(), ann, leaseOf(d, mine.ID, other))
			assertKind(t, string(d), err, vault.NotFound)
			if made.Ticket.Len() > 0 || len(made.Bundle) > 0 {
				t.Errorf("%s: an error, and yet something is delivered", d)
			}
		}
	}
	if n := p.entries() - before; n != 0 {
		t.Errorf("%d entries", n)
	}
	leases, _, err := p.ListLeases(t.Context(), ann, vault.LeaseFilter{})
	if err != nil || len(leases) > 0 {
		t.Errorf("%d leases (%v)", len(leases), err)
	}
}

func TestATicketIsRedeemedOnceForTheValuesOfThatMoment(t *testing.T) {
	p := start(t)
	ann := p.user("ann")
	one, two := p.secret(ann, "ONE", fake("1")), p.secret(ann, "TWO", fake("2"))
	made := p.lease(ann, one, two)
	p.assertState(ann, made.ID, vault.LeaseActive)
	if made.Secrets[0].Version != 0 || len(made.Bundle) > 0 {
		t.Error("something was delivered with the ticket")
	}
	p.must(second(p.UpdateSecret(t.Context(), ann, one.ID, fake("new"))))
	p.restart()
	var out vault.Delivered
	got := p.newEntries(ann.User, func() { out = must(p.redeem(made, "192.0.2.1")) })
	p.assertHas(out, map[string]vault.Value{"ONE": fake("new"), "TWO": fake("2")})
	byTicket := vault.Actor{
		User:       ann.User,
		Credential: audit.Credential{Kind: audit.CredentialTicket, ID: made.ID},
		Client:     netip.MustParseAddr("192.0.2.1"),
	}
	entry := func(action policy.Action, kind audit.TargetKind, of uuid.UUID, name string,
		version uint64,
	) audit.Entry {
		e := done(ann.User, byTicket, action, of, name, version)
		e.Target.Kind, e.Lease = kind, made.ID
		return e
	}
	p.assertEntries(got, entry(policy.LeaseRedeem, audit.TargetSecret, one.ID, "ONE", 2),
		entry(policy.LeaseRedeem, audit.TargetSecret, two.ID, "TWO", 1))
	p.assertState(ann, made.ID, vault.LeaseRedeemed)

	byTicket.Client = netip.MustParseAddr("203.0.113.9")
	got = p.newEntries(ann.User, func() {
		for range 3 {
			again, err := p.redeem(made, "203.0.113.9")
			assertKind(t, "a second try", err, vault.Conflict)
			if len(again.Bundle) > 0 {
				t.Error("an error, and yet a bundle")
			}
		}
		p.must(p.FlushRefusals(t.Context(), true))
	})
	disputed := entry(policy.LeaseDispute, audit.TargetLease, made.ID, "", 0)
	disputed.Outcome = audit.Refused
	p.assertEntries(got, disputed, moreRefusedBy(byTicket, 2))
	p.assertState(ann, made.ID, vault.LeaseDisputed)
	want := []vault.Dispute{{User: ann.User, Lease: made.ID, Client: byTicket.Client}}
	if diff := cmp.Diff(want, p.NewDisputes(), cmp.Comparer(
		func(a, b netip.Addr) bool { return a == b })); diff != "" || p.Disputes() != 3 {
		t.Errorf("%d disputes, to be logged:\n%s", p.Disputes(), diff)
	}
	p.assertChain(ann.User)
}

func moreRefusedBy(who vault.Actor, n uint64) audit.Entry {
	e := moreRefused(who, policy.LeaseDispute, n)
	e.Client, e.Lease = who.Client, who.Credential.ID
	return e
}

func TestOfManyWhoRedeemATicketOneGetsTheBundle(t *testing.T) {
	p := start(t)
	ann := p.user("ann")
	made := p.lease(ann, p.secret(ann, "ONE", fake("1")))
	other, _ := p.newVault()
	var all sync.WaitGroup
	var mu sync.Mutex
	bundles, conflicts := 0, 0
	for i := range 100 {
		all.Go(func() {
			service := p.Service
			if i%2 == 0 {
				service = other
			}
			who, err := service.AuthenticateTicket(t.Context(), made.Ticket)
			var out vault.Delivered
			if err == nil {
				out, err = service.RedeemTicket(t.Context(), who, recipient())
			}
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil && len(out.Bundle) > 0:
				bundles++
			case vault.KindOf(err) == vault.Conflict && len(out.Bundle) == 0:
				conflicts++
			default:
				t.Errorf("%v", err)
			}
		})
	}
	all.Wait()
	if bundles != 1 || conflicts != 99 {
		t.Errorf("%d bundles, %d conflicts", bundles, conflicts)
	}
	p.assertState(ann, made.ID, vault.LeaseDisputed)
	p.assertChain(ann.User)
}

func TestATicketThatEndedIsUnknown(t *testing.T) {
	p := start(t)
	ctx := t.Context()
	for name, end := range map[string]func(ann vault.Actor, of vault.Delivered) error{
		"revoked": func(ann vault.Actor, of vault.Delivered) error {
			_, delivered, err := p.RevokeLease(ctx, ann, of.ID)
			if delivered {
				t.Error("it says that something was delivered")
			}
			return err
		},
		"expired": func(vault.Actor, vault.Delivered) error {
			p.clock.forward(time.Hour)
			return nil
		},
		"user disabled": func(ann vault.Actor, _ vault.Delivered) error {
			return p.Service.DisableUser(ctx, p.admin, ann.User)
		},
		"user deleted": func(ann vault.Actor, _ vault.Delivered) error {
			return p.Service.DeleteUser(ctx, p.admin, ann.User)
		},
		"key revoked": func(ann vault.Actor, _ vault.Delivered) error {
			ann.SelfRevoke = true
			return p.RevokeSelf(ctx, ann)
		},
		"key above revoked": func(ann vault.Actor, _ vault.Delivered) error {
			return p.RevokeAPIKey(ctx, p.admin, p.keyAbove(ann))
		},
		"redeemed and revoked": func(ann vault.Actor, of vault.Delivered) error {
			p.must(second(p.redeem(of, "192.0.2.1")))
			_, delivered, err := p.RevokeLease(ctx, ann, of.ID)
			if !delivered {
				t.Error("it does not say that the values were delivered")
			}
			return err
		},
		"locked down": func(vault.Actor, vault.Delivered) error { return p.LockDown(ctx) },
	} {
		// one of its own for each, below a key of the admin's
		_, above, err := p.CreateAPIKey(ctx, p.admin, keyRequest("admin", "leases:write"))
		p.must(err)
		maker := p.authenticated(above)
		made, err := p.CreateUser(ctx, p.admin, userRequest(strings.ReplaceAll(name, " ", "-")))
		p.must(err)
		_, token, err := p.CreateAPIKeyFor(ctx, maker, made.ID, keyRequest("leases:write"))
		if err != nil {
			t.Fatal(err)
		}
		ann := p.authenticated(token)
		lease := p.lease(ann, p.secret(with(ann, policy.SecretsWrite), "ONE", fake("1")))
		p.must(second(p.AuthenticateTicket(ctx, lease.Ticket)))
		p.must(end(ann, lease))
		_, err = p.redeem(lease, "192.0.2.1")
		assertKind(t, name, err, vault.Unauthenticated)
		p.must(p.LiftLockdown(ctx))
	}
}

// keyAbove returns the key that made the caller's.
func (p *fixture) keyAbove(who vault.Actor) (above uuid.UUID) {
	p.t.Helper()
	p.view(func(r vault.Reader) error {
		key, err := r.APIKeyByID(p.t.Context(), who.Credential.ID)
		above = key.Parent
		return err
	})
	return above
}

func TestALeaseEndsWithTheAPIKeyThatAskedForIt(t *testing.T) {
	p := start(t)
	end := p.clock.last().Add(10 * time.Minute)
	_, token := p.newKey(p.admin, expiring(end))
	who := p.authenticated(token)
	who.Scopes = policy.AllScopes()
	secret := p.secret(p.admin, "ONE", fake("1"))
	for _, d := range []vault.Delivery{vault.ByBundle, vault.ByTicket} {
		made, err := p.CreateLease(t.Context(), who, leaseOf(d, secret.ID))
		if err != nil || !made.ExpiresAt.Equal(end) {
			t.Errorf("%s: until %v, the key until %v (%v)", d, made.ExpiresAt, end, err)
		}
	}
}

func TestATicketOfADeletedSecretHandsOutNothing(t *testing.T) {
	p := start(t)
	ann := p.user("ann")
	one, two := p.secret(ann, "ONE", fake("1")), p.secret(ann, "TWO", fake("2"))
	made := p.lease(ann, one, two)
	p.must(p.DeleteSecret(t.Context(), ann, one.ID))
	p.secret(ann, "ONE", fake("3")) // is another secret
	_, err := p.redeem(made, "192.0.2.1")
	assertKind(t, "the first try", err, vault.Conflict)
	p.assertState(ann, made.ID, vault.LeaseRevoked)
	_, err = p.redeem(made, "192.0.2.1")
	assertKind(t, "the second", err, vault.Unauthenticated)
	if p.Disputes() != 0 {
		t.Error("it counts as disputed")
	}
	p.assertChain(ann.User)
}

func TestExpiredTicketsLeaveTheLedgerAndAUserHasAtMostAThousand(t *testing.T) {
	p := start(t)
	ann := p.user("ann")
	secret := p.secret(ann, "ONE", fake("1"))
	last := p.lease(ann, secret)
	for range 999 {
		p.lease(ann, secret)
	}
	_, err := p.CreateLease(t.Context(), ann, ticketOf(secret.ID))
	assertKind(t, "one too many", err, vault.Denied)
	p.must(second(p.CreateLease(t.Context(), ann, bundleOf(secret.ID))))
	p.clock.forward(time.Hour)
	p.must(second(p.CreateLease(t.Context(), ann, ticketOf(secret.ID))))
	ledger, _, err := p.LedgerOf(t.Context(), ann.User)
	if err != nil || ledger.Leases.Len() != 1 {
		t.Errorf("the ledger lists %d leases (%v)", ledger.Leases.Len(), err)
	}
	p.assertState(ann, last.ID, vault.LeaseExpired)
	_, err = p.redeem(last, "192.0.2.1")
	assertKind(t, "an expired one", err, vault.Unauthenticated)
}

func TestAPageOfAFilteredListLooksAtSoManyLeases(t *testing.T) {
	p := start(t)
	ann := p.user("ann")
	request := bundleOf(p.secret(ann, "ONE", fake("1")).ID)
	request.Run.ID = "once"
	rare := must(p.CreateLease(t.Context(), ann, request))
	p.must(p.db.Update(t.Context(), func(tx vault.Tx) error {
		for range 1500 {
			l := rare.StoredLease
			l.ID, l.Run.ID = uuid.Must(uuid.NewV7()), "often"
			if err := tx.InsertLease(t.Context(), l); err != nil {
				return err
			}
		}
		return nil
	}))
	filter := vault.LeaseFilter{Run: "once"}
	none, next, err := p.ListLeases(t.Context(), ann, filter)
	if err != nil || len(none) != 0 || next == uuid.Nil {
		t.Fatalf("%d leases, then %v (%v)", len(none), next, err)
	}
	filter.Before = next
	found, next, err := p.ListLeases(t.Context(), ann, filter)
	if err != nil || len(found) != 1 || found[0].ID != rare.ID || next != uuid.Nil {
		t.Errorf("%d leases, then %v (%v)", len(found), next, err)
	}
}

func TestLeasesAreListedNewestFirstByPages(t *testing.T) {
	p := start(t)
	ann := p.user("ann")
	one, two := p.secret(ann, "ONE", fake("1")), p.secret(ann, "TWO", fake("2"))
	var want []uuid.UUID
	for i := range 7 {
		request := ticketOf(one.ID)
		if i%2 == 0 {
			request = bundleOf(one.ID, two.ID)
		}
		request.Run.ID = fmt.Sprint("run ", i%3)
		want = slices.Insert(want, 0, must(p.CreateLease(t.Context(), ann, request)).ID)
	}
	ids := func(f vault.LeaseFilter) (found []uuid.UUID) {
		for {
			page, next, err := p.ListLeases(t.Context(), ann, f)
			p.must(err)
			for _, l := range page {
				found = append(found, l.ID)
			}
			if f.Before = next; next == uuid.Nil {
				return found
			}
		}
	}
	for name, c := range map[string]struct {
		filter vault.LeaseFilter
		want   []uuid.UUID
	}{
		"all":        {vault.LeaseFilter{}, want},
		"by two":     {vault.LeaseFilter{Limit: 2}, want},
		"by seven":   {vault.LeaseFilter{Limit: 7}, want},
		"of a run":   {vault.LeaseFilter{Run: "run 1", Limit: 1}, []uuid.UUID{want[2], want[5]}},
		"of no run":  {vault.LeaseFilter{Run: "run"}, nil},
		"of a state": {vault.LeaseFilter{State: vault.LeaseActive, Limit: 1}, odd(want)},
		"of another secret": {
			vault.LeaseFilter{Secret: two.ID, Limit: 3},
			[]uuid.UUID{want[0], want[2], want[4], want[6]},
		},
		"of a secret that is none": {vault.LeaseFilter{Secret: ann.User}, nil},
	} {
		if diff := cmp.Diff(c.want, ids(c.filter)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func odd(ids []uuid.UUID) (some []uuid.UUID) {
	for i := 1; i < len(ids); i += 2 {
		some = append(some, ids[i])
	}
	return some
}

func TestUsageTellsWhereASecretIs(t *testing.T) {
	p := start(t)
	ann := p.user("ann")
	one, two := p.secret(ann, "ONE", fake("1")), p.secret(ann, "TWO", fake("2"))
	unused, err := p.SecretUsage(t.Context(), ann, one.ID)
	if err != nil || unused.Uses != 0 || len(unused.Live) != 0 || !unused.At.IsZero() {
		t.Errorf("before its first use: %+v (%v)", unused, err)
	}
	request := bundleOf(one.ID)
	request.Run.Label = "nightly"
	first := must(p.CreateLease(t.Context(), ann, request))
	ticket := p.lease(ann, one, two)
	usage, err := p.SecretUsage(t.Context(), ann, one.ID)
	if err != nil || usage.Uses != 1 || usage.Lease != first.ID || usage.Run.Label != "nightly" ||
		len(usage.Live) != 2 || usage.Live[0].ID != ticket.ID {
		t.Errorf("after a bundle and a ticket: %+v (%v)", usage, err)
	}
	p.must(second(p.redeem(ticket, "192.0.2.1")))
	_, _, err = p.RevokeLease(t.Context(), ann, first.ID)
	p.must(err)
	usage, err = p.SecretUsage(t.Context(), ann, one.ID)
	if err != nil || usage.Uses != 2 || usage.Lease != ticket.ID || usage.Run != nil ||
		len(usage.Live) != 1 {
		t.Errorf("after a redemption and a revocation: %+v (%v)", usage, err)
	}
	all, err := p.SecretUsages(t.Context(), ann)
	if err != nil || len(all) != 2 || all[0].Secret != one.ID || all[0].Uses != 2 ||
		all[0].Live != 1 || all[1].Secret != two.ID || all[1].Uses != 1 || all[1].At.IsZero() {
		t.Errorf("of all: %+v (%v)", all, err)
	}
	p.clock.forward(time.Hour)
	if usage, err = p.SecretUsage(t.Context(), ann, two.ID); err != nil || len(usage.Live) != 0 {
		t.Errorf("after the end: %+v (%v)", usage, err)
	}
}

func TestLeasesAreRemovedThreeMonthsAfterTheyHaveEnded(t *testing.T) {
	p := start(t)
	p.clock.forward(time.Since(p.clock.last())) // their ids have the time
	ann := p.user("ann")
	one := p.secret(ann, "ONE", fake("1"))
	for range 8 {
		must(p.CreateLease(t.Context(), ann, bundleOf(one.ID)))
	}
	p.clock.forward(96 * 24 * time.Hour)
	must(p.CreateLease(t.Context(), ann, bundleOf(one.ID)))
	count := func() (leases int) {
		p.sqlRow("SELECT COUNT(*) FROM leases", nil, &leases)
		return leases
	}
	if n := count(); n != 9 {
		t.Errorf("%d leases after 96 days", n)
	}
	p.clock.forward(2 * 24 * time.Hour)
	p.lease(ann, one)
	if n := count(); n != 5 {
		t.Errorf("%d leases after 98 days", n)
	}
	p.lease(ann, one)
	if n := count(); n != 2 { // the ids, also of the ninth, have the time of the real clock
		t.Errorf("%d leases in the end", n)
	}
}

func TestALeaseRequestSaysWhatIsWrong(t *testing.T) {
	id := uuid.NewString()
	many := slices.Repeat([]string{id}, 51)
	long, empty, control := strings.Repeat("é", 129), "", "a\x1b[2J"
	for want, err := range map[string]error{
		"secret_ids too many":                    second(vault.NewSecretIDs(many)),
		"secret_ids too few":                     second(vault.NewSecretIDs(nil)),
		"secret_ids.1 value":                     second(vault.NewSecretIDs([]string{id, id})),
		"secret_ids.0 uuid, secret_ids.1 uuid":   second(vault.NewSecretIDs([]string{"", "{" + id})),
		"delivery one of":                        second(vault.NewDelivery("ticke")),
		"ttl_seconds value":                      second(vault.NewTTL(59)),
		"run.id too short, run.label too long":   second(vault.NewRun(&empty, &long)),
		"run.label pattern":                      second(vault.NewRun(nil, &control)),
		"recipient value":                        second(vault.NewRecipient("x-wing:AA")),
		"secret_ids too few, recipient required": vault.LeaseRequest{Delivery: "bundle"}.Check(),
		"secret_ids too few, delivery one of":    vault.LeaseRequest{}.Check(),
		"recipient value ": func() error {
			r := ticketOf(uuid.New())
			r.Recipient = recipient()
			return r.Check()
		}(),
	} {
		if got := strings.Join(broken(t, err), ", "); got != strings.TrimSpace(want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	assertBroken(t, "a long time", second(vault.NewTTL(604_801)), "ttl_seconds value")
	p := start(t)
	_, err := p.CreateLease(t.Context(), p.admin, vault.LeaseRequest{})
	assertKind(t, "the zero request", err, vault.Invalid)
}
