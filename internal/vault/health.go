package vault

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/anchor"
	"github.com/keysake/keysake/internal/catalog"
	"github.com/keysake/keysake/internal/policy"
	"github.com/keysake/keysake/internal/seal"
)

// A StoredHealth is what the provider of a secret said about one version of it. It decides nothing.
type StoredHealth struct {
	User, Secret uuid.UUID
	Version      uint64
	Stamp        seal.Stamp // of that version
	Outcome      string
	Check        string
	Status       int
	Note         string
	Facts        string // a JSON object of texts
	KeyExpiresAt time.Time
	At           time.Time
	InstanceKey  uuid.UUID // that made Code
	Code         [sha256.Size]byte
}

// A Health is what is known of the current version of a secret.
type Health struct {
	Secret  uuid.UUID
	Version uint64
	At      time.Time // zero if the provider was not asked
	catalog.Finding

	Deadline  Deadline  // as its owner says
	IdleSince time.Time // of the last use of a value, or of the first value
	// KeyEvidence is what its requests at the broker showed.
	KeyEvidence

	Warnings []Warning
}

type healthReader interface {
	// Health returns what is known of a user's secret. NotFound: nothing.
	Health(ctx context.Context, user, secret uuid.UUID) (StoredHealth, error)
	// Healths returns what is known of a user's secrets. One of which nothing is known has none.
	Healths(ctx context.Context, user uuid.UUID) ([]StoredHealth, error)
}

type healthWriter interface {
	// SaveHealth stores what is known of a secret, in place of what was.
	SaveHealth(ctx context.Context, h StoredHealth) error
	evidenceWriter
}

// Row is what the code of a row is about.
func (h StoredHealth) Row() anchor.Row {
	return anchor.NewRow("health").ID(h.User).ID(h.Secret).Number(h.Version).Bytes(h.Stamp[:]).
		Text(h.Outcome).Text(h.Check).
		Number(uint64(h.Status)). //nolint:gosec // a status of HTTP is positive
		Text(h.Note).Text(h.Facts).Time(h.KeyExpiresAt).Time(h.At)
}

// newHealth returns the row of what was found out about the current version of a secret.
func newHealth(of StoredSecret, found catalog.Finding, at time.Time) (StoredHealth, error) {
	facts, err := json.Marshal(found.Facts)
	return StoredHealth{
		User: of.User, Secret: of.ID, Version: of.Version, Stamp: of.Stamp,
		Outcome: string(found.Outcome), Check: found.Check, Status: found.Status,
		Note: found.Note, Facts: string(facts), At: at,
		KeyExpiresAt: found.ExpiresAt.UTC().Truncate(time.Microsecond),
	}, err
}

// said adds what the provider said, from its row. A row that an instance key made which is no
// longer believed counts as little as one that is not there.
func (p *page) said(known *Health, of StoredSecret, h StoredHealth) error {
	key, believed := p.core.instance.get(h.InstanceKey)
	if !believed {
		return nil
	}
	what := "health of secret " + of.ID.String()
	if h.User != of.User || h.Secret != of.ID {
		return tampered(what, errIndex)
	}
	if !h.Row().HasCode(key, h.Code) {
		return tampered(what, errNoCode)
	}
	if h.Stamp != of.Stamp {
		return nil
	}
	known.At = h.At
	known.Finding = catalog.Finding{
		Outcome: catalog.Outcome(h.Outcome), Check: h.Check, Status: h.Status, Note: h.Note,
		ExpiresAt: h.KeyExpiresAt,
	}
	if err := json.Unmarshal([]byte(h.Facts), &known.Facts); err != nil {
		return tampered(what, err)
	}
	return nil
}

// SecretHealth returns what is known of one of the caller's secrets. It needs the scope
// secrets:read. NotFound: there is none of that id, or it is another user's.
func (s *Service) SecretHealth(
	ctx context.Context, who Actor, id uuid.UUID,
) (known Health, err error) {
	err = s.view(ctx, who, policy.HealthGet, func(p *page) (err error) {
		known, err = p.health(ctx, id, s.now())
		return err
	})
	return known, err
}

// health returns what is known of one of the user's secrets.
func (p *page) health(ctx context.Context, id uuid.UUID, now time.Time) (Health, error) {
	stored, err := p.secret(ctx, id)
	if err != nil {
		return Health{}, err
	}
	watch, err := p.watch(ctx)
	if err != nil {
		return Health{}, err
	}
	known := newlyKnown(stored)
	use, err := p.rows.SecretUse(ctx, p.owner, id)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return known, err
	}
	known.used(use, stored.Stamp, now)
	row, err := p.rows.Health(ctx, p.owner, id)
	if err == nil {
		err = p.said(&known, stored, row)
	} else if errors.Is(err, ErrNotFound) {
		err = nil
	}
	known.warn(now, watch.UnusedAfter)
	return known, err
}

// SecretHealths returns what is known of each of the caller's secrets, in the order of their names.
// It needs the scope secrets:read.
func (s *Service) SecretHealths(ctx context.Context, who Actor) (all []Health, err error) {
	err = s.view(ctx, who, policy.HealthGet, func(p *page) (err error) {
		all, err = p.healths(ctx, s.now())
		return err
	})
	return all, err
}

// healths is health for all of the user's secrets, in the order of their names.
func (p *page) healths(ctx context.Context, now time.Time) ([]Health, error) {
	watch, err := p.watch(ctx)
	if err != nil {
		return nil, err
	}
	secrets, err := p.secrets(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := p.rows.Healths(ctx, p.owner)
	if err != nil {
		return nil, err
	}
	uses, err := p.rows.SecretUses(ctx, p.owner)
	if err != nil {
		return nil, err
	}
	said, used := map[uuid.UUID]StoredHealth{}, map[uuid.UUID]SecretUse{}
	for _, h := range rows {
		said[h.Secret] = h
	}
	for _, u := range uses {
		used[u.Secret] = u
	}
	all := make([]Health, len(secrets))
	for i, stored := range secrets {
		all[i] = newlyKnown(stored)
		all[i].used(used[stored.ID], stored.Stamp, now)
		if row, found := said[stored.ID]; found {
			if err := p.said(&all[i], stored, row); err != nil {
				return nil, err
			}
		}
		all[i].warn(now, watch.UnusedAfter)
	}
	return all, nil
}
