package vault

import (
	"time"

	"github.com/keysake/keysake/internal/catalog"
	"github.com/keysake/keysake/internal/seal"
)

// A Warning is why the owner of a secret should look at it.
type Warning string

// The warnings.
const (
	WarnInvalid     Warning = "invalid"   // the provider says that the key does not work
	WarnSuspected   Warning = "suspected" // it refused a request with the key
	WarnExpired     Warning = "expired"
	WarnExpiresSoon Warning = "expires_soon"
	WarnUnused      Warning = "unused" // nobody was given the value for long
)

// newlyKnown is what a secret says itself.
func newlyKnown(of StoredSecret) Health {
	return Health{
		Secret: of.ID, Version: of.Version, IdleSince: of.CreatedAt,
		Deadline: Deadline{of.ExpiresAt, of.RemindBefore},
	}
}

// used notes how the secret was used last, and what that showed of the version with a stamp.
func (h *Health) used(use SecretUse, of seal.Stamp, now time.Time) {
	if use.At.After(h.IdleSince) {
		h.IdleSince = use.At
	}
	if use.Stamp == of {
		h.KeyEvidence = use.until(now)
	}
}

// Expires returns when the key expires, as its owner or the provider says, whatever is earlier, and
// from when on that is soon. Both are zero if nobody says.
func (h *Health) Expires() (at, soon time.Time) {
	at, before := h.Deadline.At, h.Deadline.RemindBefore
	if at.IsZero() {
		before = DefaultReminder
	}
	if key := h.ExpiresAt; !key.IsZero() && (at.IsZero() || key.Before(at)) {
		at = key
	}
	if at.IsZero() {
		return at, at
	}
	return at, at.Add(-before)
}

// warn sets what is to be said of the secret.
func (h *Health) warn(now time.Time, unusedAfter time.Duration) {
	h.Warnings = nil
	if h.Outcome == catalog.OutcomeInvalid {
		h.Warnings = append(h.Warnings, WarnInvalid)
	}
	if h.isSuspected() {
		h.Warnings = append(h.Warnings, WarnSuspected)
	}
	switch at, soon := h.Expires(); {
	case at.IsZero() || now.Before(soon):
	case now.Before(at):
		h.Warnings = append(h.Warnings, WarnExpiresSoon)
	default:
		h.Warnings = append(h.Warnings, WarnExpired)
	}
	if unusedAfter > 0 && now.Sub(h.IdleSince) >= unusedAfter {
		h.Warnings = append(h.Warnings, WarnUnused)
	}
}
