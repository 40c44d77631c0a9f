package storetest

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/vault"
)

func webhookBehaviours() []behaviour {
	return []behaviour{
		{"an event waits until it is due, once, and until it is forgotten", keepsEvents},
		{"of too many events the oldest are forgotten", trimsEvents},
		{"events and notices end with their secret and their user", endsEvents},
		{"of each warning of a secret the last notice is kept", keepsNotices},
		{"users are looked for by when there is something to tell of them", findsUsersToNotice},
	}
}

func eventOf(user, secret uuid.UUID, minutes int) vault.StoredEvent {
	return vault.StoredEvent{
		ID: newID(), User: user, Secret: secret, Body: `{"type":"ü"}`,
		CreatedAt: moment(minutes), DueAt: moment(minutes), InstanceKey: newID(),
		Code: random32(),
	}
}

func (s subject) addEvents(events ...vault.StoredEvent) {
	s.Helper()
	s.update(func(tx vault.Tx) error {
		var failed []error
		for _, e := range events {
			failed = append(failed, tx.InsertEvent(s.ctx, e))
		}
		return errors.Join(failed...)
	})
}

// dueBy selects what is due some minutes later, where nothing is noted 100 minutes ahead.
func dueBy(minutes int) vault.Due {
	return vault.Due{By: moment(minutes), Beyond: moment(minutes + 100)}
}

// eventsDue returns the events that are due some minutes later, at most 3.
func (s subject) eventsDue(minutes int) []vault.StoredEvent {
	s.Helper()
	return got(s, func(ctx context.Context, r vault.Reader) ([]vault.StoredEvent, error) {
		return r.EventsDue(ctx, dueBy(minutes), 3)
	})
}

func (s subject) wantEvents(n int) {
	s.Helper()
	s.wantSame("number of events", got(s, func(ctx context.Context, r vault.Reader) (int, error) {
		return r.CountEvents(ctx)
	}), n)
}

func keepsEvents(s subject) {
	user, secret := newID(), newID()
	first, second, third := eventOf(user, secret, 1), eventOf(user, secret, 2),
		eventOf(user, secret, 3)
	s.addEvents(third, first, second)
	again := first
	again.Body = "another"
	s.addEvents(again)
	s.wantEvents(3)
	s.wantSame("before any is due", s.eventsDue(0), []vault.StoredEvent{})
	s.wantSame("those that are due", s.eventsDue(2), []vault.StoredEvent{first, second})
	first.Attempts, first.DueAt = 4, moment(9)
	s.update(func(tx vault.Tx) error { return tx.RetryEvent(s.ctx, first) })
	s.wantSame("after one was sent in vain", s.eventsDue(9),
		[]vault.StoredEvent{second, third, first})
	s.addEvents(eventOf(user, secret, 20))
	s.wantSame("some at once", s.eventsDue(30), []vault.StoredEvent{second, third, first})
	s.update(func(tx vault.Tx) error { return tx.DeleteEvent(s.ctx, second.ID) })
	s.wantSame("after one was forgotten", s.eventsDue(9), []vault.StoredEvent{third, first})
	s.update(func(tx vault.Tx) error {
		return errors.Join(tx.DeleteEvent(s.ctx, second.ID), tx.RetryEvent(s.ctx, second))
	})
	s.wantEvents(3)
	ahead := eventOf(user, secret, 0)
	ahead.DueAt = moment(300)
	s.addEvents(ahead)
	s.wantSame("further ahead than any is noted", s.eventsDue(9),
		[]vault.StoredEvent{third, first, ahead})
}

func trimsEvents(s subject) {
	user, secret := newID(), newID()
	for minute := range 5 {
		s.addEvents(eventOf(user, secret, minute))
	}
	trim := func(keep int) {
		s.update(func(tx vault.Tx) error { return tx.TrimEvents(s.ctx, keep) })
	}
	trim(5)
	s.wantEvents(5)
	trim(2)
	s.wantEvents(2)
	s.wantSame("the oldest", s.eventsDue(9)[0].CreatedAt, moment(3))
	s.addEvents(eventOf(user, secret, 4), eventOf(user, secret, 4)) // of one moment
	trim(2)
	s.wantEvents(2)
	trim(0)
	s.wantEvents(0)
}

func endsEvents(s subject) {
	ann, bob := s.addUser("ann"), s.addUser("bob")
	first, second := s.addSecret(ann.Owner, "A"), s.addSecret(ann.Owner, "B")
	kept := eventOf(bob.Owner, newID(), 1)
	s.addEvents(eventOf(ann.Owner, first.ID, 1), eventOf(ann.Owner, second.ID, 1), kept)
	for _, secret := range []uuid.UUID{first.ID, second.ID} {
		s.saveNotice(ann.Owner, secret, vault.WarnExpired, 1)
	}
	s.update(func(tx vault.Tx) error { return tx.DeleteSecret(s.ctx, ann.Owner, first.ID) })
	s.wantEvents(2)
	s.wantSame("notices", len(s.notices(ann.Owner)), 1)
	s.update(func(tx vault.Tx) error { return tx.DeleteSecrets(s.ctx, ann.Owner) })
	s.wantSame("what is left", s.eventsDue(9), []vault.StoredEvent{kept})
	s.wantSame("notices that are left", s.notices(ann.Owner), []vault.StoredNotice{})
}

func (s subject) saveNotice(user, secret uuid.UUID, w vault.Warning, minutes int) {
	s.Helper()
	s.update(func(tx vault.Tx) error {
		return tx.SaveNotice(s.ctx, vault.StoredNotice{
			User: user, Secret: secret, Warning: w, About: moment(minutes),
		})
	})
}

func (s subject) notices(user uuid.UUID) []vault.StoredNotice {
	s.Helper()
	return got(s, func(ctx context.Context, r vault.Reader) ([]vault.StoredNotice, error) {
		return r.Notices(ctx, user)
	})
}

func keepsNotices(s subject) {
	user, secret := newID(), newID()
	s.saveNotice(user, secret, vault.WarnExpired, 1)
	s.saveNotice(user, secret, vault.WarnUnused, 2)
	s.saveNotice(user, secret, vault.WarnExpired, 3)
	s.wantSame("notices", s.notices(user), []vault.StoredNotice{
		{User: user, Secret: secret, Warning: vault.WarnExpired, About: moment(3)},
		{User: user, Secret: secret, Warning: vault.WarnUnused, About: moment(2)},
	})
	s.wantSame("another user's", s.notices(newID()), []vault.StoredNotice{})
}

func findsUsersToNotice(s subject) {
	ann, bob := s.addUser("ann").Owner, s.addUser("bob").Owner
	set := func(user uuid.UUID, at time.Time) {
		s.update(func(tx vault.Tx) error { return tx.SetNoticeDue(s.ctx, user, at) })
	}
	by := func(user uuid.UUID, minutes int) {
		s.update(func(tx vault.Tx) error { return tx.NoticeBy(s.ctx, user, moment(minutes)) })
	}
	find := func(minutes, limit int) []uuid.UUID {
		return got(s, func(ctx context.Context, r vault.Reader) ([]uuid.UUID, error) {
			return r.UsersToNotice(ctx, dueBy(minutes), limit)
		})
	}
	set(ann, moment(2))
	set(bob, moment(1))
	s.wantSame("before", find(0, 9), []uuid.UUID{})
	s.wantSame("one", find(1, 9), []uuid.UUID{bob})
	s.wantSame("both", find(2, 9), []uuid.UUID{bob, ann})
	s.wantSame("at most one", find(2, 1), []uuid.UUID{bob})
	by(ann, 5)
	s.wantSame("later changes nothing", find(2, 9), []uuid.UUID{bob, ann})
	by(ann, 0)
	s.wantSame("earlier does", find(0, 9), []uuid.UUID{ann})
	set(ann, time.Time{})
	s.wantSame("never", find(9, 9), []uuid.UUID{bob})
	by(ann, 7)
	s.wantSame("a time after never", find(9, 9), []uuid.UUID{bob, ann})
	set(bob, moment(300))
	s.wantSame("further ahead than any is noted", find(9, 9), []uuid.UUID{ann, bob})
	set(bob, moment(1))
	s.update(func(tx vault.Tx) error { return tx.DeleteUser(s.ctx, ann, moment(9)) })
	by(ann, 1)
	set(ann, moment(1))
	s.wantSame("who was deleted", find(9, 9), []uuid.UUID{bob})
}
