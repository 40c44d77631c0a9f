package vault

import (
	"bytes"
	"context"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/catalog"
	"github.com/keysake/keysake/internal/policy"
	"github.com/keysake/keysake/internal/seal"
	"github.com/keysake/keysake/plaintext"
)

// A Secret is what may be seen of a secret: never its value.
type Secret struct {
	ID        uuid.UUID
	Name      string
	Provider  string // empty for a custom secret without one
	Mask      string
	CreatedAt time.Time
	UpdatedAt time.Time
}

// A StoredSecret is a secret as it is kept. SealedValue is there only where its reader says so.
type StoredSecret struct {
	ID          uuid.UUID
	User        uuid.UUID
	Name        string
	Provider    string
	Version     uint64
	SealedValue []byte
	SealedMask  []byte
	CreatedAt   time.Time
	UpdatedAt   time.Time
}

func (s StoredSecret) binding() seal.Binding {
	return seal.Binding{Owner: s.User, Subject: s.ID, Version: s.Version}
}

func (s StoredSecret) target() audit.Target {
	return audit.Target{Kind: audit.TargetSecret, ID: s.ID, Name: s.Name, Version: s.Version}
}

type secretReader interface {
	// Secret returns a user's secret without its value. NotFound: there is none, or it is another
	// user's.
	Secret(ctx context.Context, user, id uuid.UUID) (StoredSecret, error)
	// Secrets returns a user's secrets without their values, ordered by name.
	Secrets(ctx context.Context, user uuid.UUID) ([]StoredSecret, error)
	// SealedValue returns the sealed value of a user's secret.
	SealedValue(ctx context.Context, user, id uuid.UUID) ([]byte, error)
}

type secretWriter interface {
	// InsertSecret returns Conflict where the user has a secret of that name.
	InsertSecret(ctx context.Context, s StoredSecret) error
	// UpdateSecret stores a new version: the number, the sealed value and mask, and the time.
	UpdateSecret(ctx context.Context, s StoredSecret) error
	// DeleteSecret destroys a user's secret with all its versions.
	DeleteSecret(ctx context.Context, user, id uuid.UUID) error
	// DeleteSecrets destroys all secrets of a user with all their versions.
	DeleteSecrets(ctx context.Context, user uuid.UUID) error
}

// CreateFromPreset makes a secret whose name is the one of the provider's preset. It needs the
// scope secrets:write. Invalid: no such provider, or a value that is a bad paste. Conflict: the
// user has a secret of that name. Denied: the quota is full.
func (s *Service) CreateFromPreset(
	ctx context.Context,
	who Actor,
	provider string,
	value plaintext.Value,
) (Secret, error) {
	return s.create(ctx, who, "", provider, value)
}

// CreateSecret makes a secret of any name, of a provider or, with an empty one, of none. It needs
// the scope secrets:write, and has the errors of CreateFromPreset.
func (s *Service) CreateSecret(
	ctx context.Context,
	who Actor,
	name, provider string,
	value plaintext.Value,
) (Secret, error) {
	return s.create(ctx, who, name, provider, value)
}

// create makes a secret; an empty name stands for the preset's.
func (s *Service) create(
	ctx context.Context,
	who Actor,
	name, provider string,
	value plaintext.Value,
) (made Secret, err error) {
	id, err := newID()
	if err != nil {
		return Secret{}, err
	}
	err = s.update(ctx, inOwnLibrary(who, policy.SecretCreate), func(c *change) error {
		stored := StoredSecret{
			ID:        id,
			User:      who.Owner(),
			Name:      name,
			Provider:  provider,
			Version:   1,
			CreatedAt: c.at,
			UpdatedAt: c.at,
		}
		if err := s.checkPreset(&stored, value); err != nil {
			return err
		}
		if c.ledger.Secrets >= s.maxSecrets {
			return denied("The quota of secrets is full: delete one first")
		}
		if made, err = s.seal(ctx, c, &stored, value); err != nil {
			return err
		}
		c.ledger.Secrets++
		return named(
			c.InsertSecret(ctx, stored),
			"There is a secret of this name already: update it instead",
		)
	})
	return made, err
}

// checkPreset fills in the preset's name where there is none, and holds the value against the rule
// for presets.
func (s *Service) checkPreset(stored *StoredSecret, value plaintext.Value) error {
	if stored.Provider == "" && stored.Name != "" {
		return nil
	}
	preset, found := s.catalog.Preset(stored.Provider)
	if !found {
		return invalid(
			Field{
				Name: "provider",
				Rule: OneOf,
				Msg:  "Unknown provider: GET /api/v1/user/secrets/presets lists them",
			},
		)
	}
	if stored.Name == "" {
		stored.Name = preset.EnvVarName
	}
	if stored.Name == preset.EnvVarName && badPaste(value) {
		return invalid(Field{
			Name: "value", Rule: GoodValue,
			Msg: "Value must not contain white space or control characters: check what was pasted",
		})
	}
	return nil
}

// badPaste is true for a value with white space, control or format characters anywhere, which no
// provider's key has.
func badPaste(v plaintext.Value) bool {
	return bytes.ContainsFunc(v.Reveal(), func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r) || unicode.Is(unicode.Cf, r) ||
			r == utf8.RuneError
	})
}

// seal seals the value and its mask into stored, for the place that stored is, and names the secret
// in the audit entry.
func (s *Service) seal(
	ctx context.Context,
	c *change,
	stored *StoredSecret,
	value plaintext.Value,
) (Secret, error) {
	key, err := s.keys.get(ctx, c, stored.User, c.ledger.OwnerKey)
	if err != nil {
		return Secret{}, err
	}
	mask := catalog.Mask(value)
	if stored.SealedValue, err = key.SealValue(stored.binding(), value); err != nil {
		return Secret{}, err
	}
	if stored.SealedMask, err = key.SealMask(stored.binding(), mask); err != nil {
		return Secret{}, err
	}
	c.record(stored.target())
	return stored.shown(mask), nil
}

func (s StoredSecret) shown(mask string) Secret {
	return Secret{
		ID:        s.ID,
		Name:      s.Name,
		Provider:  s.Provider,
		Mask:      mask,
		CreatedAt: s.CreatedAt,
		UpdatedAt: s.UpdatedAt,
	}
}

// ListSecrets returns the caller's secrets, ordered by name. It needs the scope secrets:read.
func (s *Service) ListSecrets(ctx context.Context, who Actor) (secrets []Secret, err error) {
	err = s.view(ctx, who, policy.SecretList, func(r Reader) error {
		stored, err := r.Secrets(ctx, who.Owner())
		if err != nil {
			return err
		}
		secrets = make([]Secret, len(stored))
		for i := range stored {
			if secrets[i], err = s.unmask(ctx, r, stored[i]); err != nil {
				return err
			}
		}
		return nil
	})
	return secrets, err
}

// Secret returns one of the caller's secrets. It needs the scope secrets:read. NotFound: there is
// none of that id, or it is another's.
func (s *Service) Secret(ctx context.Context, who Actor, id uuid.UUID) (secret Secret, err error) {
	err = s.view(ctx, who, policy.SecretGet, func(r Reader) error {
		stored, err := r.Secret(ctx, who.Owner(), id)
		if err != nil {
			return err
		}
		secret, err = s.unmask(ctx, r, stored)
		return err
	})
	return secret, err
}

// unmask opens the mask of a stored secret. Its error has [ErrTampered] if it is not the one that
// was sealed there.
func (s *Service) unmask(ctx context.Context, r Reader, stored StoredSecret) (Secret, error) {
	mask, err := s.keys.openMask(ctx, r, stored.binding(), stored.SealedMask)
	if err != nil {
		return Secret{}, err
	}
	return stored.shown(mask), nil
}

// UpdateSecret gives one of the caller's secrets a new value, as its next version. It needs the
// scope secrets:write. NotFound: there is none of that id, or it is another's. Invalid: it is of a
// preset, and the value is a bad paste.
func (s *Service) UpdateSecret(
	ctx context.Context,
	who Actor,
	id uuid.UUID,
	value plaintext.Value,
) (secret Secret, err error) {
	err = s.update(ctx, inOwnLibrary(who, policy.SecretUpdate), func(c *change) error {
		stored, err := c.Secret(ctx, who.Owner(), id)
		if err != nil {
			return err
		}
		if err := s.checkPreset(&stored, value); err != nil {
			return err
		}
		secret, err = s.next(ctx, c, stored, value)
		return err
	})
	return secret, err
}

// DeleteSecret removes one of the caller's secrets. It needs the scope secrets:write. NotFound:
// there is none of that id, or it is another's.
func (s *Service) DeleteSecret(ctx context.Context, who Actor, id uuid.UUID) error {
	return s.update(ctx, inOwnLibrary(who, policy.SecretDelete), func(c *change) error {
		stored, err := c.Secret(ctx, who.Owner(), id)
		if err != nil {
			return err
		}
		c.ledger.Secrets--
		c.record(stored.target())
		return c.DeleteSecret(ctx, who.Owner(), id)
	})
}

// OpenSecret returns the value of one of the caller's secrets to code in this process, when the
// audit entry for it is on the disk. No endpoint shows what it returns. It needs the scope
// leases:write. NotFound: there is none of that id, or it is another's.
func (s *Service) OpenSecret(
	ctx context.Context,
	who Actor,
	id uuid.UUID,
) (value plaintext.Value, err error) {
	var opened plaintext.Value
	err = s.update(ctx, inOwnLibrary(who, policy.SecretOpen), func(c *change) error {
		stored, err := c.Secret(ctx, who.Owner(), id)
		if err != nil {
			return err
		}
		blob, err := c.SealedValue(ctx, who.Owner(), id)
		if err != nil {
			return err
		}
		if opened, err = s.keys.openValue(ctx, c, stored.binding(), blob); err != nil {
			return err
		}
		c.record(stored.target())
		return nil
	})
	if err != nil {
		return plaintext.Value{}, err
	}
	return opened, nil
}

// A Preset is a provider from which a secret can be created.
type Preset struct {
	Provider   string
	EnvVarName string
	Configured bool // the caller owns a secret of that provider, or one with that name
}

// Presets returns the presets in the catalog's order. It needs the scope secrets:read.
func (s *Service) Presets(ctx context.Context, who Actor) (presets []Preset, err error) {
	err = s.view(ctx, who, policy.PresetList, func(r Reader) error {
		secrets, err := r.Secrets(ctx, who.Owner())
		if err != nil {
			return err
		}
		for _, p := range s.catalog.Presets() {
			preset := Preset{Provider: p.ID, EnvVarName: p.EnvVarName}
			for _, secret := range secrets {
				if secret.Provider == p.ID || secret.Name == p.EnvVarName {
					preset.Configured = true
				}
			}
			presets = append(presets, preset)
		}
		return nil
	})
	return presets, err
}
