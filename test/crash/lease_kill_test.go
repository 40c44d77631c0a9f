package crash_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/bundle"
	"github.com/keysake/keysake/client"
	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/policy"
	"github.com/keysake/keysake/internal/store/sqlite"
	"github.com/keysake/keysake/internal/vault"
	"github.com/keysake/keysake/plaintext"
	"github.com/keysake/keysake/wire"
)

// A leaser is a user who makes leases of all secrets that the user has, redeems some tickets and
// revokes some leases.
type leaser struct {
	userID string
	key    plaintext.Value
	own    *bundle.Key
	ids    []string
	values map[string]string // by the secret's name
	random *rand.Rand
	leases []*knownLease
}

// A knownLease is one that was answered.
type knownLease struct {
	id     string
	ticket plaintext.Value // empty of a bundle
	asked  string          // what was asked for it: "redeem", "revoke" or nothing
	done   bool            // and it was answered as done
}

func newLeaser(p *process, name string, random *rand.Rand) *leaser {
	p.t.Helper()
	own, err := bundle.NewKey(bundle.X25519)
	if err != nil {
		p.t.Fatal(err)
	}
	id, key := p.newUser(name)
	l := &leaser{
		userID: id, key: key, own: own, values: map[string]string{},
		random: rand.New(rand.NewPCG(random.Uint64(), random.Uint64())),
	}
	for _, secret := range []string{"ONE", "TWO"} {
		l.values[secret] = text(random, 40)
		made, err := p.client(key).CreateSecret(p.t.Context(), wire.CreateSecret{
			Name: secret, Value: plaintext.FromString(l.values[secret]),
		})
		if err != nil {
			p.t.Fatal(err)
		}
		l.ids = append(l.ids, made.ID)
	}
	return l
}

// open demands that a bundle that arrived has all the values.
func (l *leaser) open(t *testing.T, b *wire.Bundle) {
	t.Helper()
	payload, err := client.OpenBundle(l.own, *b)
	if err != nil || len(payload.Secrets) != len(l.values) {
		t.Errorf("a bundle of %d secrets: %v", len(payload.Secrets), err)
	}
	for _, s := range payload.Secrets {
		if !bytes.Equal(s.Value.Reveal(), []byte(l.values[s.Name])) {
			t.Errorf("%s has another value", s.Name)
		}
	}
}

func (l *leaser) redeem(
	ctx context.Context, t *testing.T, c *client.Client, of *knownLease,
) error {
	t.Helper()
	got, err := c.RedeemTicket(ctx, of.ticket,
		wire.RedeemTicket{Recipient: l.own.Recipient().String()})
	if err == nil {
		l.open(t, got.Bundle)
	}
	return err
}

// step makes a lease, and then perhaps ends it.
func (l *leaser) step(ctx context.Context, t *testing.T, c *client.Client) error {
	t.Helper()
	in := wire.CreateLease{SecretIDs: l.ids, Delivery: wire.DeliveryTicket}
	what := l.random.IntN(8)
	if what == 0 {
		in.Delivery, in.Recipient = wire.DeliveryBundle, new(l.own.Recipient().String())
	}
	made, err := c.CreateLease(ctx, in)
	if err != nil {
		return err
	}
	one := &knownLease{id: made.ID}
	l.leases = append(l.leases, one)
	switch {
	case what == 0:
		l.open(t, made.Bundle)
		return nil
	case what < 5:
		one.ticket, one.asked = plaintext.FromString(made.Ticket), "redeem"
		err = l.redeem(ctx, t, c, one)
	case what < 7:
		one.ticket, one.asked = plaintext.FromString(made.Ticket), "revoke"
		_, err = c.RevokeLease(ctx, one.id)
	default:
		one.ticket = plaintext.FromString(made.Ticket)
	}
	one.done = one.asked != "" && err == nil
	return err
}

// check presents each ticket again, and demands what was answered before.
func (l *leaser) check(t *testing.T, p *process) {
	t.Helper()
	c := p.client(l.key)
	for _, one := range l.leases {
		shown, err := c.GetLease(t.Context(), one.id)
		if err != nil {
			t.Errorf("a lease that was answered: %v", err)
			continue
		}
		if one.ticket.Len() == 0 {
			if shown.State != wire.LeaseRedeemed {
				t.Errorf("the lease of a bundle is %s", shown.State)
			}
			continue
		}
		got := status(l.redeem(t.Context(), t, c, one))
		allowed := map[string][]int{
			"redeem": {http.StatusOK, http.StatusConflict},
			"revoke": {http.StatusOK, http.StatusUnauthorized},
			"":       {http.StatusOK},
		}[one.asked]
		if one.done {
			allowed = allowed[1:]
		}
		if !slices.Contains(allowed, got) {
			t.Errorf("%s (answered: %v), then %s: a redemption is a %d", one.asked, one.done,
				shown.State, got)
		}
		if got == http.StatusOK { // from now on it is this
			one.asked, one.done = "redeem", true
		}
	}
}

// checkAudit demands that the audit log has each release whose bundle arrived, and no second one.
func (l *leaser) checkAudit(t *testing.T, data string) {
	t.Helper()
	db, err := sqlite.Open(t.Context(), filepath.Join(data, "keysake.db"))
	if err != nil {
		t.Fatal(err)
	}
	released, revoked := map[string]int{}, map[string]int{}
	err = db.View(t.Context(), func(r vault.Reader) error {
		return r.AuditEntries(t.Context(), uuid.MustParse(l.userID), func(e audit.Linked) error {
			switch {
			case e.Outcome != audit.Done || e.Lease == uuid.Nil:
			case e.Target.Kind == audit.TargetSecret && e.Target.Version > 0:
				released[e.Lease.String()]++
			case policy.Action(e.Action) == policy.LeaseRevoke:
				revoked[e.Lease.String()]++
			}
			return nil
		})
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	for id, n := range released {
		if n != len(l.ids) {
			t.Errorf("lease %s released %d secrets, of %d", id, n, len(l.ids))
		}
	}
	for _, one := range l.leases {
		arrived := one.ticket.Len() == 0 || one.asked == "redeem" && one.done
		if arrived && released[one.id] == 0 {
			t.Errorf("a bundle of lease %s arrived, and is not in the audit log", one.id)
		}
		if one.asked == "revoke" && one.done && (revoked[one.id] != 1 || released[one.id] > 0) {
			t.Errorf("lease %s was revoked, of which there are %d entries", one.id, revoked[one.id])
		}
	}
}

func TestNoTicketIsRedeemedTwiceWhenServersAreKilled(t *testing.T) {
	inFolders(t, 2, 4, killLeasers)
}

// killLeasers kills servers on one folder while leases are made and end, and checks it after each.
func killLeasers(t *testing.T, random *rand.Rand, rounds int) {
	t.Helper()
	data := newData(t)
	p := start(t, data)
	var leasers []*leaser
	for i := range 6 {
		leasers = append(leasers, newLeaser(p, fmt.Sprintf("leaser-%d", i), random))
	}
	for round := range rounds {
		work := startLeasers(t, p, leasers)
		work.reach(p, 1+random.Int64N(120))
		time.Sleep(time.Duration(random.Int64N(int64(5 * time.Millisecond))))
		p.kill()
		work.all.Wait()
		checkFolder(t, data, nil)
		p = start(t, data)
		var all sync.WaitGroup
		for _, l := range leasers {
			all.Go(func() { l.check(t, p) })
		}
		all.Wait()
		p.stop()
		for _, l := range leasers {
			l.checkAudit(t, data)
			l.leases = nil
		}
		if checkFolder(t, data, nil); t.Failed() {
			t.Fatalf("in round %d", round)
		}
		p = start(t, data)
	}
	p.stop()
}

// startLeasers lets them work until the server is gone.
func startLeasers(t *testing.T, p *process, leasers []*leaser) *load {
	t.Helper()
	work := &load{t: t}
	for _, l := range leasers {
		c := p.client(l.key)
		work.repeat(func() error { return l.step(context.Background(), t, c) })
	}
	return work
}
