package vault

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/anchor"
	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/catalog"
	"github.com/keysake/keysake/internal/policy"
)

// A ScheduledProbe is a probe that a user wants without asking for it each time.
type ScheduledProbe struct {
	Secret   uuid.UUID
	Provider string
	Due      time.Time
	WasValid bool // the provider knew the key when it was asked last
}

// scheduled is who probes on a user's schedule.
func scheduled(user uuid.UUID) Actor {
	return Actor{
		User:       user,
		Credential: audit.Credential{Kind: audit.CredentialSchedule},
		Scopes:     []policy.Scope{policy.LeasesWrite},
	}
}

// ScheduledProbes returns which secrets of a user are to be probed, and when, in the order of their
// names. One that a provider refused at the broker is asked about at once. There are none of a user
// who is gone or disabled, or wants none.
func (s *Service) ScheduledProbes(
	ctx context.Context, user uuid.UUID,
) (probes []ScheduledProbe, err error) {
	err = s.core.view(ctx, func(r *snapshot) error {
		probes = nil
		p, err := r.user(ctx, user)
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		watch, err := p.watch(ctx)
		if err != nil || watch.ProbeEvery == 0 || p.ledger.State == anchor.Disabled {
			return err
		}
		secrets, err := p.secrets(ctx)
		if err != nil {
			return err
		}
		known, err := p.healths(ctx, s.now())
		if err != nil {
			return err
		}
		for i, secret := range secrets {
			entry, found := s.catalog.Entry(secret.Provider)
			if found && entry.CanCheck() {
				probes = append(probes, ScheduledProbe{
					Secret: secret.ID, Provider: secret.Provider,
					Due:      known[i].probeDue(watch.ProbeEvery, s.now()),
					WasValid: known[i].Outcome.IsValid(),
				})
			}
		}
		return nil
	})
	return probes, err
}

// jitterOf is the part of an interval by which probes are spread.
const jitterOf = 8

// suspicionPause is how long after an answer a key is not asked about again, whatever its requests
// show: some are refused by a path, and the key works.
const suspicionPause = 15 * time.Minute

// invalidPause is how long a key is left alone at least that is invalid: some providers lock out
// who tries a bad key often. But one can be wrong, and then the key has to be asked about again.
const invalidPause = 24 * time.Hour

// probeDue returns when a secret is to be probed next; the zero time for now, also after an answer
// that is noted for a time ahead.
func (h *Health) probeDue(every time.Duration, now time.Time) (due time.Time) {
	if h.At.IsZero() || h.At.After(now.Add(maxSkew)) {
		return time.Time{}
	}
	if h.Outcome == catalog.OutcomeInvalid {
		every = max(every, invalidPause)
	}
	sum := sha256.Sum256(binary.BigEndian.AppendUint64(h.Secret[:],
		uint64(h.At.UnixMicro())))
	part := float64(binary.BigEndian.Uint32(sum[:])) / (1 << 32)
	jitter := time.Duration(part * float64(every/jitterOf))
	due = h.At.Add(every + jitter)
	if soon := h.At.Add(suspicionPause); h.isSuspected() && h.RefusedAt.After(h.At) &&
		soon.Before(due) {
		return soon
	}
	return due
}

// ErrNoCheck says that there is no check for a key.
var ErrNoCheck = errors.New("there is no check for this kind of key")

// ProbeScheduled is [Service.ProbeSecret] on the schedule of a user, and returns what the provider
// said. Its error is [ErrNoCheck] where nobody was asked.
func (s *Service) ProbeScheduled(
	ctx context.Context, user, secret uuid.UUID,
) (catalog.Outcome, error) {
	who := scheduled(user)
	stored, value, err := s.openRetried(ctx, who, secret)
	if err != nil {
		return "", err
	}
	if !s.canProbe(stored, value) {
		return "", ErrNoCheck
	}
	if err := s.recordProbe(ctx, who, stored); err != nil {
		return "", err
	}
	_, found, err := s.ask(ctx, stored, value)
	return found.Outcome, err
}

// SetProbeDue notes when a secret of a user is to be probed next, [LookAgain] ahead at most; the
// zero time for not before the user says so. It is no change of the library: a note that is lost
// makes a probe early or late.
func (s *Service) SetProbeDue(ctx context.Context, user uuid.UUID, at time.Time) error {
	return s.store.Update(ctx, func(tx Tx) error { return tx.SetProbeDue(ctx, user, at) })
}
