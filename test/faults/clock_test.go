package faults_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/keysake/keysake/bundle"
	"github.com/keysake/keysake/client"
	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/internal/store/postgres/pgtest"
	"github.com/keysake/keysake/plaintext"
	"github.com/keysake/keysake/wire"
)

// skew is by how much the clocks of two servers differ here.
const skew = time.Minute

func TestServersWhoseClocksDifferByAMinuteAgree(t *testing.T) {
	t.Parallel()
	inRounds(t, 1, func(t *testing.T, _ int) {
		t.Helper()
		url := pgtest.Empty(t)
		servers := startServers(t, 2, url)
		servers[1].setClock(skew)
		load := newLoad(t, servers)
		load.begin()
		load.reach(200)
		load.end()
		load.check()
		for _, library := range load.libraries {
			checkOrder(t, servers, library.key)
		}
		checkIdempotency(t, servers)
		checkExpiries(t, servers)
		checkDatabase(t, servers[0], url)
		t.Log(load.summary())
	})
}

// checkOrder reads an audit log in short pages, each of them from another server than the one
// before.
func checkOrder(t *testing.T, servers []*process, key plaintext.Value) {
	t.Helper()
	var last *wire.AuditEntry
	filter := client.AuditFilter{Limit: 3}
	for i := 0; ; i++ {
		page, err := servers[i%len(servers)].client(key).ListAudit(t.Context(), filter)
		apptest.Must(t, err)
		if i == 0 && page.Head.Seq != page.Entries[0].Seq {
			t.Errorf("the newest entry is %d of %d", page.Entries[0].Seq, page.Head.Seq)
		}
		for _, e := range page.Entries { // newest first
			if last != nil && (e.Seq != last.Seq-1 || e.At.After(last.At.Time)) {
				t.Errorf("entry %d of %v is before entry %d of %v", e.Seq, e.At, last.Seq, last.At)
			}
			last = &e
		}
		if page.Next == nil {
			break
		}
		filter.Cursor = *page.Next
	}
	if last.Seq != 1 {
		t.Errorf("the oldest entry is %d", last.Seq)
	}
}

// checkIdempotency sends each request to both servers. It also holds that the clocks differ.
func checkIdempotency(t *testing.T, servers []*process) {
	t.Helper()
	for i, first := range servers {
		key, second := servers[0].newUser(fmt.Sprintf("idempotent-%d", i)), servers[1-i]
		ctx := client.WithIdempotencyKey(t.Context(), "once")
		create := wire.CreateSecret{Name: "A", Value: newValue()}
		began := first.now()
		made, err := first.client(key).CreateSecret(ctx, create)
		apptest.Must(t, err)
		if at := made.CreatedAt; at.Before(began.Truncate(time.Microsecond)) ||
			at.After(first.now()) {
			t.Errorf("server %d says that it is %v, and not %v", i, at, began)
		}
		again, err := second.client(key).CreateSecret(ctx, create)
		if err != nil || again.ID != made.ID || !again.CreatedAt.Equal(made.CreatedAt.Time) {
			t.Errorf("sent again, it made %s and not %s: %v", again.ID, made.ID, err)
		}
		create.Value = newValue()
		_, err = second.client(key).CreateSecret(ctx, create)
		if !errors.Is(err, client.ErrInvalid) {
			t.Errorf("another request of the same name: %v", err)
		}
	}
}

// An expiring is what a server made that expires, and can be used once.
type expiring struct {
	what string
	at   time.Time
	use  func(ctx context.Context, s *process) error
}

// lasting is how long it lasts: longer than the clocks differ, and than making all of it takes.
const lasting = 10 * time.Minute

// checkExpiries has each server make what expires, and sets the clocks of both to before and after
// that. Time does not pass for it.
func checkExpiries(t *testing.T, servers []*process) {
	t.Helper()
	makers := make([]*clockUser, len(servers))
	for i, s := range servers {
		makers[i] = newClockUser(t, s, servers[0].newUser(fmt.Sprintf("expiring-%d", i)))
	}
	const steps = 3
	var all [steps][]expiring
	first, last := time.Now().Add(24*time.Hour), time.Time{}
	for step := range all {
		for range servers {
			for _, m := range makers {
				all[step] = append(all[step], m.newKey(), m.newTicket())
			}
		}
		for _, e := range all[step] {
			if e.at.Before(first) {
				first = e.at
			}
			if e.at.After(last) {
				last = e.at
			}
		}
	}
	for step, behind := range [steps]time.Time{
		first.Add(-lasting / 2), // both let everything in
		first.Add(-skew / 2),    // the other one only what it made
		last.Add(time.Second),   // none lets anything in
	} {
		each := len(all[step]) / len(servers)
		for i, s := range servers {
			s.setClock(time.Until(behind) + time.Duration(i)*skew + time.Second)
			for _, e := range all[step][i*each : (i+1)*each] {
				e.check(t, s)
			}
		}
	}
}

// check holds that a server lets in what expires before that, by the server's own clock, and
// refuses it from then on.
func (e expiring) check(t *testing.T, s *process) {
	t.Helper()
	began := s.now()
	err := e.use(t.Context(), s)
	ended := s.now()
	switch {
	case err == nil && !began.Before(e.at):
		t.Errorf("%s that expired at %v works at %v", e.what, e.at, began)
	case err != nil && ended.Before(e.at):
		t.Errorf("%s that expires at %v fails at %v: %v", e.what, e.at, ended, err)
	case err != nil:
		apptest.Must(t, refusal(err))
	}
}

// A clockUser makes what expires, at one server.
type clockUser struct {
	t      *testing.T
	server *process
	*client.Client
	secret string
}

func newClockUser(t *testing.T, s *process, key plaintext.Value) *clockUser {
	t.Helper()
	c := s.client(key)
	made, err := c.CreateSecret(t.Context(), wire.CreateSecret{Name: "A", Value: newValue()})
	apptest.Must(t, err)
	return &clockUser{t, s, c, made.ID}
}

func (u *clockUser) newKey() expiring {
	u.t.Helper()
	at := u.server.now().Add(lasting).Truncate(time.Microsecond)
	made, err := u.CreateAPIKey(u.t.Context(), wire.CreateAPIKey{
		ExpiresAt: &wire.Timestamp{Time: at},
	})
	apptest.Must(u.t, err)
	if !made.ExpiresAt.Equal(at) {
		u.t.Errorf("a key expires at %v, and not %v", made.ExpiresAt, at)
	}
	key := plaintext.FromString(made.Key)
	return expiring{"a key", at, func(ctx context.Context, s *process) error {
		_, err := s.client(key).ListSecrets(ctx)
		return err
	}}
}

func (u *clockUser) newTicket() expiring {
	u.t.Helper()
	made, err := u.CreateLease(u.t.Context(), wire.CreateLease{
		SecretIDs: []string{u.secret}, Delivery: wire.DeliveryTicket,
		TTLSeconds: new(int64(lasting / time.Second)),
	})
	apptest.Must(u.t, err)
	if latest := time.Now().Add(lasting + skew); made.ExpiresAt.After(latest) {
		u.t.Errorf("a ticket expires at %v, which is after %v", made.ExpiresAt, latest)
	}
	ticket := plaintext.FromString(made.Ticket)
	return expiring{"a ticket", made.ExpiresAt.Time, func(ctx context.Context, s *process) error {
		key, err := bundle.NewKey(bundle.XWing)
		if err != nil {
			return err
		}
		_, err = s.client(plaintext.Value{}).RedeemTicket(ctx, ticket, wire.RedeemTicket{
			Recipient: key.Recipient().String(),
		})
		return err
	}}
}
