package vault

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/anchor"
)

// A StoredNotice is what the webhook was told last of a secret: a help, so that it is told once.
type StoredNotice struct {
	User, Secret uuid.UUID
	Warning      Warning
	About        time.Time // when it expires, or was used last
}

const (
	maxToNotice = 100 // users who are looked for at once
	maxNotices  = 100 // of a user at once
	noticeRetry = time.Hour
	// maxToNext is how far ahead it is noted at most that there may be something to tell.
	maxToNext = DefaultUnusedAfter
)

// noticeBy notes when there is something to tell of a secret that expires.
func noticeBy(ctx context.Context, tx Tx, user uuid.UUID, known Health) error {
	_, soon := known.Expires()
	if soon.IsZero() {
		return nil
	}
	return tx.NoticeBy(ctx, user, soon)
}

// UsersToNotice returns users of whose secrets there may be something to tell now, some at once.
// Nothing vouches for that: Notice finds out.
func (s *Service) UsersToNotice(ctx context.Context) (due []uuid.UUID, err error) {
	err = s.store.Read(ctx, func(r Reader) (err error) {
		due, err = r.UsersToNotice(ctx, s.due(maxToNext+noticeRetry), maxToNotice)
		return err
	})
	return due, err
}

// Notice has the webhook told what is to be said of a user's secrets that expire or lie unused,
// once for each date, and notes when there may be more. A user whose data does not verify is looked
// at again in an hour.
func (s *Service) Notice(ctx context.Context, user uuid.UUID) error {
	dropped := 0
	err := s.transact(ctx, intent{library: userLibrary(user)}, func(c *change) (err error) {
		dropped, err = s.notice(ctx, c)
		return err
	})
	switch {
	case errors.Is(err, ErrNotFound): // who is gone has nothing
		return s.setNoticeDue(ctx, user, time.Time{})
	case err != nil && ctx.Err() == nil && KindOf(err) != Unavailable:
		return errors.Join(err, s.setNoticeDue(ctx, user, s.time().Add(noticeRetry)))
	}
	return s.countDropped(dropped, err)
}

func (s *Service) setNoticeDue(ctx context.Context, user uuid.UUID, at time.Time) error {
	return s.store.Update(ctx, func(tx Tx) error { return tx.SetNoticeDue(ctx, user, at) })
}

// notice is Notice in its transaction.
func (s *Service) notice(ctx context.Context, c *change) (dropped int, err error) {
	stored, user, err := c.self(ctx)
	if err != nil {
		return 0, err
	}
	if c.ledger.State == anchor.Disabled {
		return 0, c.tx.SetNoticeDue(ctx, c.owner, c.at.Add(noticeRetry))
	}
	secrets, err := c.secrets(ctx)
	if err != nil {
		return 0, err
	}
	known, err := c.healths(ctx, c.at)
	if err != nil {
		return 0, err
	}
	told, err := c.rows.Notices(ctx, c.owner)
	if err != nil {
		return 0, err
	}
	news := newNotices(told)
	next := nextNotice(known, c.at, stored.UnusedAfter)
	var events []StoredEvent
toTell:
	for i, of := range secrets {
		for _, n := range news.of(known[i], c.owner) {
			if len(events) == maxNotices {
				next = c.at
				break toTell
			}
			about := strconv.FormatInt(n.About.UnixMicro(), 10)
			event, err := s.newEvent(user, of, known[i], n.Warning, about)
			if err == nil {
				err = c.tx.SaveNotice(ctx, n)
			}
			if err != nil {
				return 0, err
			}
			events = append(events, event)
		}
	}
	if err := c.tx.SetNoticeDue(ctx, c.owner, next); err != nil {
		return 0, err
	}
	return s.storeEvents(ctx, c.tx, events...)
}

// nextNotice returns when there may be something to tell of secrets, after a time, or when to look
// again; the zero time for never. A secret that is made meanwhile lies unused no sooner.
func nextNotice(known []Health, after time.Time, unused time.Duration) (next time.Time) {
	if unused > 0 {
		next = after.Add(unused)
	}
	for _, h := range known {
		at, soon := h.Expires()
		moments := []time.Time{soon, at}
		if unused > 0 {
			moments = append(moments, h.IdleSince.Add(unused))
		}
		for _, m := range moments {
			if m.After(after) && (next.IsZero() || m.Before(next)) {
				next = m
			}
		}
	}
	if last := after.Add(maxToNext); next.After(last) {
		return last
	}
	return next
}

// notices are what the webhook has been told.
type notices map[noticeKey]time.Time

type noticeKey struct {
	secret  uuid.UUID
	warning Warning
}

func newNotices(told []StoredNotice) notices {
	all := notices{}
	for _, n := range told {
		all[noticeKey{n.Secret, n.Warning}] = n.About
	}
	return all
}

// of returns what is new of a secret. That its key is invalid is told when that is found out, and a
// suspicion is not: nothing vouches for it.
func (told notices) of(h Health, user uuid.UUID) (news []StoredNotice) {
	for _, w := range h.Warnings {
		about := h.IdleSince
		switch w {
		case WarnInvalid, WarnSuspected:
			continue
		case WarnExpired, WarnExpiresSoon:
			about, _ = h.Expires()
		case WarnUnused:
		}
		if !told[noticeKey{h.Secret, w}].Equal(about) {
			news = append(news, StoredNotice{user, h.Secret, w, about})
		}
	}
	return news
}
