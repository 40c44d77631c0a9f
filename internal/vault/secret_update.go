package vault

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/policy"
	"github.com/keysake/keysake/internal/seal"
)

// UpdateSecret gives one of the caller's secrets a new value, as its next version. The value that
// it has already makes none, if the caller may have it opened: to others, a new version never says
// that a guess was wrong. It needs the scope secrets:write. NotFound: there is none of that id, or
// it is another user's. Invalid: it is of a preset, and the value is a bad paste. Changed: tags are
// given, and it has another.
func (s *Service) UpdateSecret(
	ctx context.Context, who Actor, id uuid.UUID, value Value, anyOf ...Tag,
) (Secret, error) {
	if err := s.authorize(ctx, who, policy.SecretUpdate); err != nil {
		return Secret{}, err
	}
	if err := checkValue(value.plain); err != nil {
		return Secret{}, err
	}
	in := inOwnLibrary(who, policy.SecretUpdate)
	read := func(p *page) (StoredSecret, error) { return p.sealedSecret(ctx, id) }
	return s.takeTurn(ctx, in, id, anyOf, read, func(t turn) (Secret, error) {
		if err := s.checkPreset(t.current, value); err != nil {
			return Secret{}, err
		}
		if same, err := s.hasValue(ctx, who, t.by, t.current, value); err != nil {
			return Secret{}, err
		} else if same {
			return s.recordUnchanged(ctx, in, t)
		}
		return s.addVersion(ctx, in, t, value)
	})
}

// hasValue reports whether a secret has this value already. Of a caller who may not have it opened
// it is not known.
func (s *Service) hasValue(
	ctx context.Context, who Actor, by openers, current StoredSecret, value Value,
) (bool, error) {
	if !policy.OpensValues(who.Scopes) {
		return false, nil
	}
	opened, err := s.keys.openValue(ctx, by, current.Binding(), current.SealedValue)
	if errors.Is(err, ErrTampered) {
		return false, nil // a new value mends it
	}
	return err == nil && opened.Equal(value.plain), err
}

// A turn is what a change of a secret begins with.
type turn struct {
	key     seal.OwnerKey // that seals
	by      openers
	current StoredSecret
}

// takeTurn runs do, which changes a secret as read finds it, while no other change of that secret
// runs in this process, and again where another process was faster. Changed: tags are given, and
// the secret has another.
func (s *Service) takeTurn(
	ctx context.Context, in intent, secret uuid.UUID, anyOf []Tag,
	read func(*page) (StoredSecret, error), do func(turn) (Secret, error),
) (Secret, error) {
	var updated Secret
	err := s.retry(in.library.owner, func() error {
		key, err := s.currentKey(ctx, in.library.owner) // before the turn: it may take long
		if err != nil {
			return callerGone(err)
		}
		release, err := s.locks.acquire(ctx, secret)
		if err != nil {
			return err
		}
		defer release()
		t := turn{key: key}
		err = s.view(ctx, in.who, in.action, func(p *page) (err error) {
			t.by = p.openers()
			t.current, err = read(p)
			return err
		})
		if err == nil {
			err = t.current.checkTag(anyOf)
		}
		if err != nil {
			return err
		}
		updated, err = do(t)
		return err
	})
	if done, ok := answered(err); ok {
		return s.secretThen(ctx, in.who, done, err)
	}
	if err != nil {
		return Secret{}, err
	}
	return updated, nil
}

// addVersion makes value the next version of a secret. The one that was current is archived with
// the versions before it; those beyond the limit are destroyed.
func (s *Service) addVersion(ctx context.Context, in intent, t turn, value Value) (Secret, error) {
	next, mask := t.current, value.mask()
	next.Version++
	next.seal(t.key, value, mask, s.time())
	err := s.update(ctx, in, func(c *change) error {
		if err := c.stillSeals(t.key); err != nil {
			return err
		}
		was, err := c.current(ctx, t.current)
		if err != nil {
			return err
		}
		c.record(next.target())
		return c.replaceSecret(ctx, was, next, s.keep())
	})
	if err != nil {
		return Secret{}, err
	}
	return next.masked(mask), nil
}

// keep is how many versions of a secret are kept, the current one included.
func (s *Service) keep() uint64 { return uint64(max(s.limits.versions, 1)) }
