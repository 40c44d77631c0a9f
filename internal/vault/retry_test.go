package vault_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/keysake/keysake/bundle"
	"github.com/keysake/keysake/internal/vault"
	"github.com/keysake/keysake/internal/vault/vaulttest"
)

// An overtakenStore lets another process change something before an update begins, so often.
type overtakenStore struct {
	vault.Store

	times *int
	other func()
}

func (s overtakenStore) Update(ctx context.Context, fn func(vault.Tx) error) error {
	if *s.times > 0 {
		*s.times--
		s.other()
	}
	return s.Store.Update(ctx, fn)
}

func (s overtakenStore) UpdateReserved(ctx context.Context, fn func(vault.Tx) error) error {
	return s.Update(ctx, fn)
}

// overtaken returns a vault whose next updates another process overtakes. The owner key of the
// admin is open in it.
func (p *fixture) overtaken(times int, other func()) *vault.Service {
	none := 0
	store := overtakenStore{p.db, &none, other}
	service, _ := p.vaultOn(store)
	_, err := service.ListSecrets(p.t.Context(), p.admin)
	p.must(err)
	none = times
	return service
}

func TestAChangeThatWasOvertakenIsPreparedAnew(t *testing.T) {
	rotate := func(p *fixture, _ uuid.UUID) {
		p.must(p.RotateOwnerKey(p.t.Context(), p.admin.User))
	}
	set := func(p *fixture, id uuid.UUID) { p.overwrite(id) }
	update := func(p *fixture, s *vault.Service, id uuid.UUID) error {
		_, err := s.UpdateSecret(p.t.Context(), p.admin, id, letter("u"))
		return err
	}
	for name, row := range map[string]struct {
		overtake func(p *fixture, id uuid.UUID) // in another process
		change   func(p *fixture, s *vault.Service, id uuid.UUID) error
		want     string // the versions after it
	}{
		"an update by a rotation": {rotate, update, "*3u 2b 1a"},
		"an update by an update":  {set, update, "*4u 3o 2b 1a"},
		"a create by a rotation": {
			rotate, func(p *fixture, s *vault.Service, _ uuid.UUID) error {
				_, err := s.CreateSecret(p.t.Context(), p.admin, custom("NEW", fake("x")))
				return err
			}, "*2b 1a",
		},
		"a rollback by an update": {
			set, func(p *fixture, s *vault.Service, id uuid.UUID) error {
				_, err := s.RollbackSecret(p.t.Context(), p.admin, id, 1)
				return err
			}, "*4a 3o 2b 1a",
		},
		"an opening by an update": {
			set, func(p *fixture, s *vault.Service, id uuid.UUID) error {
				v, err := vaulttest.OpenSecret(p.t.Context(), s, p.admin, id)
				if err == nil && string(v.Reveal()[:1]) != "o" {
					p.t.Error("it opens to the value before")
				}
				return err
			}, "*3o 2b 1a",
		},
		"a bundle by an update": {
			set, func(p *fixture, s *vault.Service, id uuid.UUID) error {
				out, err := s.CreateLease(p.t.Context(), p.admin, bundleOf(id))
				return errors.Join(err, delivers(out, 3))
			}, "*3o 2b 1a",
		},
		"a bundle by a rotation": {
			rotate, func(p *fixture, s *vault.Service, id uuid.UUID) error {
				out, err := s.CreateLease(p.t.Context(), p.admin, bundleOf(id))
				return errors.Join(err, delivers(out, 2))
			}, "*2b 1a",
		},
		"a redemption by an update": {
			set, func(p *fixture, s *vault.Service, id uuid.UUID) error {
				ticket := p.lease(p.admin, vault.Secret{ID: id}).Ticket
				who, err := s.AuthenticateTicket(p.t.Context(), ticket)
				p.must(err)
				out, err := s.RedeemTicket(p.t.Context(), who, recipient())
				return errors.Join(err, delivers(out, 3))
			}, "*3o 2b 1a",
		},
		"a new user by a rotation of the root key": {
			func(p *fixture, _ uuid.UUID) {
				p.makeFirst(p.newRoot(2))
				p.must(p.OpenInstanceKeys(p.t.Context()))
				p.must(p.RewrapKeys(p.t.Context(), func(int, int) {}))
				p.must(p.DropRootKey(p.t.Context(), rootKey(1).ID()))
			}, func(p *fixture, s *vault.Service, _ uuid.UUID) error {
				_, err := s.CreateUser(p.t.Context(), p.admin, userRequest("ann"))
				return err
			}, "*2b 1a",
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := start(t)
			id := p.values("A", "ab")
			service := p.overtaken(1, func() { row.overtake(p, id) })
			p.must(row.change(p, service, id))
			p.assertSeen(id, row.want)
			p.assertChain(p.admin.User)
		})
	}
}

// delivers returns an error unless the one secret of a lease has that version in its bundle, too.
func delivers(out vault.Delivered, version uint64) error {
	at := bundle.Binding{Server: out.Server, Lease: out.ID, Purpose: bundle.PurposeEnv}
	payload, err := bundle.Open(runner(), at, out.Bundle)
	if err != nil {
		return err
	}
	if got := payload.Secrets[0].Version; got != version || out.Secrets[0].Version != version {
		return fmt.Errorf("it has version %d", got)
	}
	return nil
}

func TestAChangeThatIsOvertakenEveryTimeIsUnavailableAndNotRecorded(t *testing.T) {
	p := start(t)
	id := p.values("A", "a")
	service := p.overtaken(1000, func() { p.overwrite(id) })
	_, err := service.UpdateSecret(t.Context(), p.admin, id, letter("u"))
	assertKind(t, "an update", err, vault.Unavailable)
	if versions := p.seen(id); strings.Contains(versions, "u") {
		t.Errorf("and yet it was made: %s", versions)
	}
	p.assertChain(p.admin.User)
}

func TestARotationIsNotHeldUpByAUserWhoWritesAllTheTime(t *testing.T) {
	p := start(t)
	id, times := p.values("A", "a"), 1000
	_, operator := p.vaultOn(overtakenStore{p.db, &times, func() {
		p.overwrite(id)
		p.secret(p.admin, "NEW_"+strings.ToUpper(rand.Text()), fake("x"))
	}})
	p.must(operator.RotateOwnerKey(t.Context(), p.admin.User))
	if got := p.seen(id); !strings.HasSuffix(got, "o 2o 1a") {
		t.Errorf("versions are %s", got)
	}
	p.assertChain(p.admin.User)
}

func TestARotationThatWasInterruptedIsMadeUpForByTheNext(t *testing.T) {
	p := start(t)
	id, times := p.values("A", "ab"), 2
	ctx, cancel := context.WithCancel(t.Context())
	_, operator := p.vaultOn(overtakenStore{p.db, &times, func() {
		if times == 0 { // before the second transaction
			cancel()
		}
	}})
	if err := operator.RotateOwnerKey(ctx, p.admin.User); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	p.set(id, "c")
	p.assertSeen(id, "*3c 2b 1a")
	p.must(p.RotateOwnerKey(t.Context(), p.admin.User))
	p.assertSeen(id, "*3c 2b 1a")
	var keys int
	p.sqlRow("SELECT COUNT(*) FROM owner_keys", nil, &keys)
	if keys != 1 {
		t.Errorf("%d owner keys", keys)
	}
	p.assertChain(p.admin.User)
}
