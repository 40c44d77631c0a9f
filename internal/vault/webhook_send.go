package vault

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/anchor"
)

const (
	maxEventsDue = 100            // events that are looked for at once
	maxEventWait = 48 * time.Hour // is more than any pause between attempts
)

// EventsDue returns events that are to be sent now, some at once. One that no server wrote is
// dropped, and so is one of an instance key that is not believed any more.
func (s *Service) EventsDue(ctx context.Context) (due []StoredEvent, err error) {
	s.followInstanceKeys(ctx)
	var found []StoredEvent
	err = s.store.Read(ctx, func(r Reader) (err error) {
		found, err = r.EventsDue(ctx, s.due(maxEventWait), maxEventsDue)
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, e := range found {
		err := s.checkEvent(ctx, e)
		switch {
		case err == nil:
			due = append(due, e)
		case !errors.Is(err, ErrTampered):
			return nil, err
		default:
			if !errors.Is(err, anchor.ErrUnknownKey) {
				s.found.report(err)
			}
			if err := s.DropEvent(ctx, e.ID); err != nil {
				return nil, err
			}
		}
	}
	return due, nil
}

// checkEvent returns an error for an event that does not have a code of an instance key. The key is
// opened if another server made it.
func (s *Service) checkEvent(ctx context.Context, e StoredEvent) error {
	what := "event " + e.ID.String()
	key, believed := s.instance.get(e.InstanceKey)
	if !believed {
		if err := s.meetInstanceKey(ctx, anchor.ErrUnknownKey); err != nil {
			return err
		}
		if key, believed = s.instance.get(e.InstanceKey); !believed {
			return tampered(what, anchor.ErrUnknownKey)
		}
	}
	if !e.Row().HasCode(key, e.Code) {
		return tampered(what, errNoCode)
	}
	return nil
}

// WaitingEvents returns how many events wait to be sent.
func (s *Service) WaitingEvents(ctx context.Context) (n int, err error) {
	err = s.store.Read(ctx, func(r Reader) (err error) {
		n, err = r.CountEvents(ctx)
		return err
	})
	return n, err
}

// DroppedEvents returns how many events were dropped since the start, and never arrived.
func (s *Service) DroppedEvents() uint64 { return s.webhook.dropped.Load() }

// RetryEvent notes how often an event was sent in vain, and when it is to be sent again.
func (s *Service) RetryEvent(ctx context.Context, e StoredEvent) error {
	return s.store.Update(ctx, func(tx Tx) error { return tx.RetryEvent(ctx, e) })
}

// ForgetEvent removes an event that has arrived.
func (s *Service) ForgetEvent(ctx context.Context, event uuid.UUID) error {
	return s.store.Update(ctx, func(tx Tx) error { return tx.DeleteEvent(ctx, event) })
}

// DropEvent removes an event that is not sent any more.
func (s *Service) DropEvent(ctx context.Context, event uuid.UUID) error {
	return s.countDropped(1, s.ForgetEvent(ctx, event))
}
