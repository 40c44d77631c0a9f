package vault

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/policy"
)

// A SecretUse is how a secret was used: a help for people, which nothing vouches for. The record is
// the audit log.
type SecretUse struct {
	User   uuid.UUID
	Secret uuid.UUID
	Uses   uint64 // how often its value was handed out
	At     time.Time
	Lease  uuid.UUID
}

// A Usage is where a secret is and was used.
type Usage struct {
	SecretUse

	Run  *Run    // of the last lease; nil for one that is not kept any more
	Live []Lease // newest first, at most maxLiveLeases
}

// maxLiveLeases bounds the live leases that are shown of one secret.
const maxLiveLeases = 100

// A UsageSummary is how a secret is used, in a list.
type UsageSummary struct {
	SecretUse

	Live int // how many leases are neither revoked nor expired
}

// SecretUsage returns where one of the caller's secrets is used. It needs the scope secrets:read.
// NotFound: there is none of that id, or it is another user's.
func (s *Service) SecretUsage(
	ctx context.Context, who Actor, id uuid.UUID,
) (usage Usage, err error) {
	err = s.view(ctx, who, policy.UsageGet, func(p *page) error {
		if _, err := p.secret(ctx, id); err != nil {
			return err
		}
		usage = Usage{SecretUse: SecretUse{User: p.owner, Secret: id}}
		usage.Live, err = p.leases(ctx, LeaseQuery{
			Secret: id, Live: true, Now: s.now(), Limit: maxLiveLeases,
		})
		if err != nil {
			return err
		}
		use, err := p.rows.SecretUse(ctx, p.owner, id)
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		usage.SecretUse = use
		last, err := p.rows.Lease(ctx, p.owner, use.Lease)
		if err == nil && last.Run != (Run{}) {
			usage.Run = &last.Run
		}
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		return err
	})
	return usage, err
}

// SecretUsages returns how each of the caller's secrets is used, in the order of their names. It
// needs the scope secrets:read.
func (s *Service) SecretUsages(ctx context.Context, who Actor) (all []UsageSummary, err error) {
	err = s.view(ctx, who, policy.UsageGet, func(p *page) error {
		secrets, err := p.secrets(ctx)
		if err != nil {
			return err
		}
		uses, err := p.rows.SecretUses(ctx, p.owner)
		if err != nil {
			return err
		}
		live, err := p.rows.LiveLeases(ctx, p.owner, s.now())
		if err != nil {
			return err
		}
		byID := make(map[uuid.UUID]SecretUse, len(uses))
		for _, u := range uses {
			byID[u.Secret] = u
		}
		all = make([]UsageSummary, len(secrets))
		for i, secret := range secrets {
			all[i] = UsageSummary{byID[secret.ID], live[secret.ID]}
			all[i].User, all[i].Secret = p.owner, secret.ID
		}
		return nil
	})
	return all, err
}
