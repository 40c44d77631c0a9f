package vault

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/policy"
)

// How long before a secret expires its owner is reminded: unless the owner says otherwise, and at
// most.
const (
	DefaultReminder = 14 * 24 * time.Hour
	MaxReminder     = 366 * 24 * time.Hour
)

// A Deadline is when a secret expires, in the words of its owner, and how long before that it
// expires soon. The zero Deadline stands for never.
type Deadline struct {
	At           time.Time
	RemindBefore time.Duration
}

// NewDeadline returns the deadline at a time, with a reminder so many seconds before; nil stands
// for [DefaultReminder]. Invalid: the time is past by every clock, or the reminder is out of range.
func NewDeadline(at time.Time, seconds *int64) (Deadline, error) {
	expiry, badExpiry := NewExpiry(at)
	d := Deadline{At: expiry.at, RemindBefore: DefaultReminder}
	if seconds == nil {
		return d, badExpiry
	}
	var badReminder error
	if *seconds < 0 || *seconds > int64(MaxReminder/time.Second) {
		badReminder = invalid(Field{
			"remind_before", GoodValue,
			fmt.Sprintf("Must be between 0 and %d seconds", MaxReminder/time.Second),
		})
	} else {
		d.RemindBefore = time.Duration(*seconds) * time.Second
	}
	return d, JoinInvalid(badExpiry, badReminder)
}

// sameDeadline reports whether two states of a secret expire alike.
func (s StoredSecret) sameDeadline(other StoredSecret) bool {
	return s.ExpiresAt.Equal(other.ExpiresAt) && s.RemindBefore == other.RemindBefore
}

// SetDeadline stores when one of the caller's secrets expires, in place of what was said before.
// The value stays as it is, and works after that time as before: it is the provider who ends keys.
// It needs the scope secrets:write. NotFound: there is none of that id, or it is another user's.
// Invalid: the time is past.
func (s *Service) SetDeadline(ctx context.Context, who Actor, id uuid.UUID, d Deadline) error {
	return s.setDeadline(ctx, who, id, d, func(c *change) error {
		if !d.At.After(c.at) {
			return expired()
		}
		return nil
	})
}

// ClearDeadline is SetDeadline for never.
func (s *Service) ClearDeadline(ctx context.Context, who Actor, id uuid.UUID) error {
	return s.setDeadline(ctx, who, id, Deadline{}, func(*change) error { return nil })
}

func (s *Service) setDeadline(
	ctx context.Context, who Actor, id uuid.UUID, d Deadline, check func(*change) error,
) error {
	return s.update(ctx, inOwnLibrary(who, policy.SecretDeadline), func(c *change) error {
		was, err := c.secret(ctx, id)
		if err == nil {
			err = check(c)
		}
		if err != nil {
			return err
		}
		next := was
		next.ExpiresAt, next.RemindBefore = d.At, d.RemindBefore
		c.record(next.target())
		if next.sameDeadline(was) {
			return nil
		}
		return c.setDeadline(ctx, was, next)
	})
}
