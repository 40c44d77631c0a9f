package vault

import (
	"bytes"
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

	KeyEvidence
}

// A Usage is where a secret is and was used.
type Usage struct {
	SecretUse

	Run  *Run    // of the last lease; nil for one that is not kept any more
	Live []Lease // newest first, at most maxLiveLeases
}

// How many live leases are shown of one secret, and among how many of the user's newest ones they
// are looked for.
const (
	maxLiveLeases = 100
	maxLiveScan   = 1000
)

// liveLeases returns a query for the live leases among the newest ones of the user. They were made
// in the last days.
func (p *page) liveLeases(ctx context.Context, now time.Time) (LeaseQuery, error) {
	from, err := p.oldestOf(ctx, uuid.Nil, maxLiveScan)
	if days := firstID(now.Add(-maxTTL)); bytes.Compare(from[:], days[:]) < 0 {
		from = days
	}
	return LeaseQuery{Live: true, Now: now, From: from, Limit: maxLiveScan}, err
}

// A UsageSummary is how a secret is used, in a list.
type UsageSummary struct {
	SecretUse

	Live int // how many of the user's maxLiveScan newest leases have it, and are live
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
		live, err := p.liveLeases(ctx, s.now())
		if err != nil {
			return err
		}
		live.Secret, live.Limit = id, maxLiveLeases
		usage.Live, err = p.leases(ctx, live)
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
		query, err := p.liveLeases(ctx, s.now())
		if err != nil {
			return err
		}
		leases, err := p.rows.Leases(ctx, p.owner, query)
		if err != nil {
			return err
		}
		live := map[uuid.UUID]int{}
		for _, l := range leases {
			for _, secret := range l.Secrets {
				live[secret.ID]++
			}
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
