package vault

import (
	"time"

	"github.com/keysake/keysake/internal/catalog"
)

// A Warning is why the owner of a secret should look at it.
type Warning string

// The warnings.
const (
	WarnInvalid     Warning = "invalid" // the provider says that the key does not work
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

// used notes when the value was handed out last.
func (h *Health) used(at time.Time) {
	if at.After(h.IdleSince) {
		h.IdleSince = at
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
