package vault

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/catalog"
	"github.com/keysake/keysake/internal/policy"
	"github.com/keysake/keysake/plaintext"
)

// AskBy sets who asks providers, before the first request. Without it none is asked.
func (s *Service) AskBy(p Prober) { s.prober = p }

// A Prober asks providers whether keys work.
type Prober interface {
	// CanProbe reports whether there is a way to ask about a key.
	CanProbe(provider string, key plaintext.Value) bool
	// Probe asks once. context.DeadlineExceeded is in the error if the provider did not answer in
	// time.
	Probe(ctx context.Context, provider string, key plaintext.Value) (catalog.Finding, error)
}

// ProbeSecret asks the provider of one of the caller's secrets whether its value works, once, and
// keeps what it says. Where there is no check, nobody is asked. It needs the scope leases:write:
// the value is used. NotFound: there is none of that id, or it is another user's. BadGateway: the
// provider cannot be reached. GatewayTimeout: it does not answer in time.
func (s *Service) ProbeSecret(ctx context.Context, who Actor, id uuid.UUID) (Health, error) {
	stored, value, err := s.openRetried(ctx, who, id)
	if err != nil {
		return Health{}, err
	}
	// It is recorded first, as every use of a value is.
	if err := s.recordProbe(ctx, who, stored); err != nil {
		return Health{}, err
	}
	if !s.canProbe(stored, value) {
		return s.probed(ctx, stored, time.Time{}, noCheck())
	}
	at, found, err := s.ask(ctx, stored, value)
	if err != nil {
		return Health{}, err
	}
	return s.probed(ctx, stored, at, found)
}

func (s *Service) canProbe(of StoredSecret, value plaintext.Value) bool {
	return s.prober != nil && s.prober.CanProbe(of.Provider, value)
}

// openRetried is openSecret for callers who are not in a retry yet.
func (s *Service) openRetried(
	ctx context.Context, who Actor, id uuid.UUID,
) (stored StoredSecret, value plaintext.Value, err error) {
	err = s.retry(who.Owner(), func() (err error) {
		stored, value, err = s.openSecret(ctx, who, id)
		return err
	})
	return stored, value, err
}

// recordProbe records that the value of a secret is used to ask its provider.
func (s *Service) recordProbe(ctx context.Context, who Actor, of StoredSecret) error {
	return s.update(ctx, inOwnLibrary(who, policy.SecretProbe), func(c *change) error {
		if _, err := c.secret(ctx, of.ID); err != nil {
			return err
		}
		c.record(of.target())
		return nil
	})
}

// ask asks the provider of a secret, and keeps what it says.
func (s *Service) ask(
	ctx context.Context, of StoredSecret, value plaintext.Value,
) (time.Time, catalog.Finding, error) {
	found, err := s.probe(ctx, of.Provider, value)
	if err != nil {
		return time.Time{}, found, err
	}
	row, err := newHealth(of, found, s.time())
	if err == nil {
		err = s.saveHealth(ctx, of, row)
	}
	return row.At, found, err
}

// probed returns what is known of a secret after the provider was asked, at a time.
func (s *Service) probed(
	ctx context.Context, of StoredSecret, at time.Time, found catalog.Finding,
) (known Health, err error) {
	err = s.viewWith(ctx, uuid.Nil, func(r *snapshot) error {
		p, err := r.user(ctx, of.User)
		if err != nil {
			return err
		}
		known, err = p.health(ctx, of.ID, s.now())
		if err != nil {
			return err
		}
		known.Version, known.At, known.Finding = of.Version, at, found
		watch, err := p.watch(ctx)
		known.warn(s.now(), watch.UnusedAfter)
		return err
	})
	return known, err
}

// saveHealth stores a row with its code, if its secret is still there, and what the webhook is to
// be told of it. It is no change of the library: nothing depends on it.
func (s *Service) saveHealth(ctx context.Context, of StoredSecret, h StoredHealth) error {
	signer, err := s.instance.first()
	if err != nil {
		return err
	}
	h.InstanceKey = signer.ID()
	h.Code = h.Row().Code(signer)
	known := newlyKnown(of)
	known.At, known.Outcome, known.ExpiresAt = h.At, catalog.Outcome(h.Outcome), h.KeyExpiresAt
	user, err := s.toTell(ctx, of.User, known)
	if err != nil {
		return err
	}
	dropped := 0
	err = s.store.Update(ctx, func(tx Tx) error {
		dropped = 0
		now, err := tx.Secret(ctx, h.User, h.Secret)
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		// The row of the user comes before that of the secret, as in a deletion.
		if err == nil {
			err = noticeBy(ctx, tx, of.User, known)
		}
		if err == nil && user != nil && now.Stamp == of.Stamp {
			dropped, err = s.tellInvalid(ctx, tx, *user, of, known)
		}
		if err != nil {
			return err
		}
		return tx.SaveHealth(ctx, h)
	})
	return s.countDropped(dropped, err)
}

// openSecret returns one of the caller's secrets, and its value.
func (s *Service) openSecret(
	ctx context.Context, who Actor, id uuid.UUID,
) (stored StoredSecret, value plaintext.Value, err error) {
	var by openers
	err = s.view(ctx, who, policy.SecretProbe, func(p *page) (err error) {
		by = p.openers()
		stored, err = p.sealedSecret(ctx, id)
		return err
	})
	if err != nil {
		return stored, value, err
	}
	value, err = s.keys.openValue(ctx, by, stored.Binding(), stored.SealedValue)
	return stored, value, err
}

func (s *Service) probe(
	ctx context.Context, provider string, value plaintext.Value,
) (catalog.Finding, error) {
	found, err := s.prober.Probe(ctx, provider, value)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return found, &Error{
			Kind: GatewayTimeout, Detail: "The provider did not answer in time", Cause: err,
		}
	case errors.Is(err, context.Canceled):
		return found, err
	case err != nil:
		return found, &Error{
			Kind: BadGateway, Detail: "The provider cannot be reached", Cause: err,
		}
	}
	return found, nil
}

// noCheck is what is found out about a key for which there is no check.
func noCheck() catalog.Finding {
	return catalog.Finding{
		Outcome: catalog.OutcomeIndeterminate, Note: "there is no check for this kind of key",
	}
}
