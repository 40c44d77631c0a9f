package vault

import (
	"context"
	"errors"

	"github.com/keysake/keysake/internal/policy"
)

// FromPreset is the input of [Service.CreateFromPreset].
type FromPreset struct {
	Provider string
	Value    Value
}

// A SecretRequest is the input of [Service.CreateSecret].
type SecretRequest struct {
	Name     Name
	Provider string // empty for none
	Value    Value
}

// CreateFromPreset makes a secret whose name is the one of the provider's preset. It needs the
// scope secrets:write. Invalid: no such provider, or a value that is a bad paste. Conflict: the
// user has a secret of that name. Denied: the quota is full.
func (s *Service) CreateFromPreset(ctx context.Context, who Actor, in FromPreset) (Secret, error) {
	if err := s.authorize(ctx, who, policy.SecretCreate); err != nil {
		return Secret{}, err
	}
	preset, found := s.catalog.Preset(in.Provider)
	if !found {
		return Secret{}, unknownProvider()
	}
	if err := checkPasted(in.Value); err != nil {
		return Secret{}, err
	}
	return s.create(ctx, who, StoredSecret{Name: preset.EnvVarName, Provider: preset.ID}, in.Value)
}

// CreateSecret makes a secret of any name, with a provider or without. It needs the scope
// secrets:write, and has the errors of CreateFromPreset.
func (s *Service) CreateSecret(ctx context.Context, who Actor, in SecretRequest) (Secret, error) {
	if err := s.authorize(ctx, who, policy.SecretCreate); err != nil {
		return Secret{}, err
	}
	if err := JoinInvalid(checkName(in.Name.text), checkValue(in.Value.plain)); err != nil {
		return Secret{}, err
	}
	stored := StoredSecret{Name: in.Name.text, Provider: in.Provider}
	if _, found := s.catalog.Preset(in.Provider); !found && in.Provider != "" {
		return Secret{}, unknownProvider()
	}
	if err := s.checkPreset(stored, in.Value); err != nil {
		return Secret{}, err
	}
	return s.create(ctx, who, stored, in.Value)
}

// create seals the value, then stores the secret if the key that sealed it still seals the user's
// values.
func (s *Service) create(
	ctx context.Context, who Actor, secret StoredSecret, value Value,
) (Secret, error) {
	id, err := newID()
	if err != nil {
		return Secret{}, err
	}
	secret.ID, secret.User, secret.Version = id, who.Owner(), 1
	in, mask := inOwnLibrary(who, policy.SecretCreate), value.mask()
	err = s.retry(secret.User, func() error {
		key, err := s.currentKey(ctx, secret.User)
		if err != nil {
			return callerGone(err)
		}
		secret.CreatedAt = s.time()
		secret.seal(key, value, mask, secret.CreatedAt)
		return s.update(ctx, in, func(c *change) error {
			if err := c.stillSeals(key); err != nil {
				return err
			}
			if c.ledger.Secrets.Len() >= s.limits.secrets {
				return denied("The quota of secrets is full: delete one first")
			}
			c.record(secret.target())
			return withDetail(c.addSecret(ctx, secret),
				"There is already a secret of this name: update it instead")
		})
	})
	if done, ok := answered(err); ok {
		return s.secretThen(ctx, who, done, err)
	}
	if err != nil {
		return Secret{}, err
	}
	return secret.masked(mask), nil
}

// callerGone is the error of a use case whose caller is no user any more.
func callerGone(err error) error {
	if errors.Is(err, ErrNotFound) {
		return unauthenticated()
	}
	return err
}
