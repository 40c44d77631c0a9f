package vault

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/plaintext"
)

// Grant returns what a placeholder stands for, with the value as it is now. It is asked for every
// request, and again and again while the answer of one is streamed; while nothing changes, it reads
// no database. Unauthenticated: it stands for nothing, and the Grant says why. Unavailable: that is
// not known.
func (s *Service) Grant(ctx context.Context, placeholder plaintext.Value) (g Grant, err error) {
	hash, lease, ok := readPlaceholder(placeholder)
	if !ok {
		return Grant{Why: EndUnknown}, noGrant()
	}
	user, err := s.userOf(ctx, hash, lease)
	if errors.Is(err, ErrNotFound) {
		return Grant{Why: EndUnknown}, noGrant()
	}
	if err != nil {
		return Grant{}, err
	}
	err = s.retry(user, func() error {
		g, err = s.grant(ctx, user, lease, hash)
		return err
	})
	return g, err
}

func noGrant() error {
	return &Error{
		Kind: Unauthenticated, Detail: "The placeholder stands for nothing, or not any more",
	}
}

// userOf returns whose lease it is that has a placeholder. NotFound: there is no such lease.
func (s *Service) userOf(
	ctx context.Context, hash TokenHash, lease uuid.UUID,
) (user uuid.UUID, err error) {
	if known, ok := s.verified.get(placeholderRef{hash}).(uuid.UUID); ok {
		return known, nil
	}
	err = s.store.Read(ctx, func(r Reader) error {
		l, err := r.BrokerLease(ctx, lease)
		if err == nil && !l.hasHash(hash) {
			err = ErrNotFound
		}
		user = l.User
		return err
	})
	if err == nil {
		s.verified.add(placeholderRef{hash}, user, 64)
	}
	return user, err
}

// hasHash reports whether a secret of the lease has a placeholder with that hash.
func (l StoredLease) hasHash(hash TokenHash) bool {
	_, found := l.secretOf(hash)
	return found
}

func (l StoredLease) secretOf(hash TokenHash) (LeasedSecret, bool) {
	for _, s := range l.Secrets {
		if string(s.Placeholder) == string(hash[:]) {
			return s, true
		}
	}
	return LeasedSecret{}, false
}

// grant is Grant for a placeholder that is a user's, if it is anyone's.
func (s *Service) grant(
	ctx context.Context, user, lease uuid.UUID, hash TokenHash,
) (g Grant, err error) {
	var known *brokered
	var secret StoredSecret
	var by openers
	err = s.viewWith(ctx, user, func(r *snapshot) (err error) {
		g = Grant{User: user, Lease: lease}
		var kept bool
		known, secret, kept = r.keptGrant(lease, hash)
		with := *r
		with.same = r.same || kept
		p, err := with.user(ctx, user)
		if err == nil {
			err = p.checkMayUse(ctx, &g)
		}
		if err == nil && !kept {
			known, err = p.brokeredLease(ctx, &g, hash)
		}
		if err == nil {
			err = known.describe(&g, hash, s.now())
		}
		if err == nil && !kept {
			secret, err = p.brokeredSecret(ctx, &g)
		}
		if err == nil {
			by = p.openers()
			g.Name, g.Provider = secret.Name, secret.Provider
			g.Version, g.Stamp = secret.Version, secret.Stamp
		}
		return err
	})
	if errors.Is(err, ErrNotFound) {
		return g, g.ended(EndUser)
	}
	if err == nil {
		err = s.checkAskers(ctx, &g, known.askers)
	}
	if err == nil {
		g.Value, err = s.keys.openValue(ctx, by, secret.Binding(), secret.SealedValue)
	}
	return g, err
}

// ended notes why nothing is granted, and returns the error that says so.
func (g *Grant) ended(why Ending) error {
	g.Why = why
	return noGrant()
}

// checkMayUse refuses the placeholders of a user who is disabled, and all of them in a lockdown.
func (p *page) checkMayUse(ctx context.Context, g *Grant) error {
	if p.checkEnabled() != nil {
		return g.ended(EndUser)
	}
	locked, err := p.lockedDown(ctx)
	if err == nil && locked {
		err = g.ended(EndLockdown)
	}
	return err
}

// brokeredLease returns the lease of a placeholder, if it was open when the ledger was read.
func (p *page) brokeredLease(ctx context.Context, g *Grant, hash TokenHash) (*brokered, error) {
	known, found := p.core.verified.get(brokeredRef{p.reading, g.Lease}).(*brokered)
	if found && p.kept {
		return known, nil
	}
	return p.readBrokered(ctx, g, hash)
}

// describe notes in a grant what is known of the lease. Unauthenticated: the lease has expired, or
// has no such placeholder.
func (b *brokered) describe(g *Grant, hash TokenHash, now time.Time) error {
	secret, found := b.lease.secretOf(hash)
	if !found {
		return g.ended(EndUnknown)
	}
	g.Secret, g.ExpiresAt, g.Limits = secret.ID, b.lease.ExpiresAt, b.lease.Limits
	g.Used, g.Granted, g.By = b.used, b.granted, b.lease.By.User
	if !b.lease.ExpiresAt.After(now) {
		return g.ended(EndExpired)
	}
	return nil
}

// readBrokered reads and verifies the lease of a placeholder, and keeps it if it is open.
func (p *page) readBrokered(ctx context.Context, g *Grant, hash TokenHash) (*brokered, error) {
	l, err := p.storedLease(ctx, g.Lease)
	if errors.Is(err, ErrNotFound) {
		return nil, g.ended(EndUnknown)
	}
	if err != nil {
		return nil, err
	}
	if secret, found := l.secretOf(hash); found {
		g.Secret = secret.ID
	}
	switch state := p.state(l, p.core.now()); {
	case l.Delivery != ByBroker || g.Secret == uuid.Nil:
		return nil, g.ended(EndUnknown)
	case state == LeaseRevoked:
		return nil, g.ended(EndRevoked)
	case state != LeaseActive:
		return nil, g.ended(EndExpired)
	}
	known := &brokered{lease: l}
	if known.askers, err = p.askers(ctx, l); errors.Is(err, ErrNotFound) {
		return nil, g.ended(EndAPIKey)
	}
	if err != nil {
		return nil, err
	}
	used, err := p.rows.BrokerUse(ctx, p.owner, l.ID)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return nil, err
	}
	known.used = used.BrokerUse
	if known.granted, err = p.granted(ctx, l); err != nil {
		return nil, err
	}
	if p.kept {
		p.core.verified.add(brokeredRef{p.reading, l.ID}, known, known.size())
	}
	return known, nil
}

// granted returns the secrets of a lease that are still there.
func (p *page) granted(ctx context.Context, l StoredLease) ([]GrantedSecret, error) {
	all, err := p.secrets(ctx)
	if err != nil {
		return nil, err
	}
	var granted []GrantedSecret
	for _, leased := range l.Secrets {
		for _, s := range all {
			if s.ID == leased.ID {
				granted = append(granted, GrantedSecret{s.ID, s.Name, s.Provider})
			}
		}
	}
	return granted, nil
}

// brokeredSecret returns the secret of a grant with its value, still sealed. Row and value are read
// by one statement: without a transaction, each query sees a moment of its own. Unauthenticated: it
// was deleted.
func (p *page) brokeredSecret(ctx context.Context, g *Grant) (StoredSecret, error) {
	ref := sealedRef{p.reading, g.Secret}
	if known, ok := p.core.verified.get(ref).(StoredSecret); ok && p.kept {
		return known, nil
	}
	found, err := p.rows.SealedSecretsOf(ctx, p.owner, []uuid.UUID{g.Secret})
	if err == nil {
		err = p.checkChosen(ctx, []uuid.UUID{g.Secret}, found)
	}
	if errors.Is(err, ErrNotFound) {
		err = g.ended(EndSecret)
	}
	if err != nil {
		return StoredSecret{}, err
	}
	if p.kept {
		size := sizeOf(found) + rounded(len(found[0].SealedValue))
		p.core.verified.add(ref, found[0], size)
	}
	return found[0], nil
}

// checkAskers refuses the placeholders of a lease if what asked for it does not work any more, or
// a key above that.
func (s *Service) checkAskers(ctx context.Context, g *Grant, askers []APIKey) error {
	for _, key := range askers {
		why := EndAPIKey
		if key.Kind == audit.CredentialGrant {
			why = EndGrant
		}
		presented, ok, err := s.line(ctx, key.Hash)
		if err == nil && !ok {
			presented, err = s.verifyLine(ctx, key.Hash)
		}
		switch {
		case errors.Is(err, ErrNotFound):
			return g.ended(why)
		case err != nil:
			return err
		case !presented.works(s.now()) || presented.keys[0].ID != key.ID:
			return g.ended(why)
		}
	}
	return nil
}
