package vault

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/anchor"
	"github.com/keysake/keysake/internal/catalog"
)

// A StoredEvent is something that the operator's webhook is to be told.
type StoredEvent struct {
	ID           uuid.UUID // follows from what it tells
	User, Secret uuid.UUID
	Body         string // JSON, as it is sent
	CreatedAt    time.Time
	Attempts     int       // how often it was sent in vain: a help that nothing vouches for
	DueAt        time.Time // when it is to be sent: a help as well
	InstanceKey  uuid.UUID // that made Code
	Code         [sha256.Size]byte
}

// maxEvents is how many events wait at most. The oldest make room.
const maxEvents = 10_000

// A webhook is what is kept of the operator's, if there is one.
type webhook struct {
	on      bool
	most    int           // events that wait
	dropped atomic.Uint64 // events
}

type eventReader interface {
	// EventsDue returns events to be sent, some at once, those first that are due first. Damaged
	// rows are left out, and do not count.
	EventsDue(ctx context.Context, due Due, limit int) ([]StoredEvent, error)
	// CountEvents returns how many events wait.
	CountEvents(ctx context.Context) (int, error)
	// UsersToNotice returns users of whose secrets there may be something to tell, some at once.
	UsersToNotice(ctx context.Context, due Due, limit int) ([]uuid.UUID, error)
	// Notices returns what the webhook was told last of a user's secrets.
	Notices(ctx context.Context, user uuid.UUID) ([]StoredNotice, error)
}

type eventWriter interface {
	// InsertEvent stores an event, unless one of that id waits.
	InsertEvent(ctx context.Context, e StoredEvent) error
	// RetryEvent stores how often an event was sent in vain, and when it is to be sent again.
	RetryEvent(ctx context.Context, e StoredEvent) error
	// DeleteEvent forgets an event.
	DeleteEvent(ctx context.Context, event uuid.UUID) error
	// TrimEvents forgets all but so many of the newest events.
	TrimEvents(ctx context.Context, keep int) error
	// SetNoticeDue stores when there may be something to tell of a user's secrets; never, of one
	// who was deleted.
	SetNoticeDue(ctx context.Context, user uuid.UUID, at time.Time) error
	// NoticeBy is SetNoticeDue if there is nothing earlier.
	NoticeBy(ctx context.Context, user uuid.UUID, at time.Time) error
	// SaveNotice stores what the webhook was told, in place of the last such warning.
	SaveNotice(ctx context.Context, n StoredNotice) error
}

// Row is what the code of an event is about.
func (e StoredEvent) Row() anchor.Row {
	return anchor.NewRow("webhook-event").ID(e.ID).ID(e.User).ID(e.Secret).Text(e.Body).
		Time(e.CreatedAt)
}

// An eventBody is what the webhook gets: never a mask, a value, or what a provider said.
type eventBody struct {
	Type      string    `json:"type"`
	Timestamp time.Time `json:"timestamp"`
	Data      eventData `json:"data"`
}

type eventData struct {
	User        uuid.UUID  `json:"user_id"`
	Username    string     `json:"username"`
	Secret      uuid.UUID  `json:"secret_id"`
	Name        string     `json:"name"`
	Provider    string     `json:"provider"`
	Version     uint64     `json:"version"`
	CheckedAt   *time.Time `json:"checked_at,omitempty"`
	ExpiresAt   *time.Time `json:"expires_at,omitempty"`
	UnusedSince *time.Time `json:"unused_since,omitempty"`
}

// newEvent returns the event of a warning. Whoever tells the same of a secret again, which about
// decides, makes one of the same id.
func (s *Service) newEvent(
	user User, of StoredSecret, known Health, w Warning, about string,
) (StoredEvent, error) {
	signer, err := s.instance.first()
	if err != nil {
		return StoredEvent{}, err
	}
	now := s.time()
	body := eventBody{Type: "secret." + string(w), Timestamp: now, Data: eventData{
		User: user.ID, Username: user.Username, Secret: of.ID, Name: of.Name,
		Provider: of.Provider, Version: of.Version,
	}}
	switch at, _ := known.Expires(); w {
	case WarnInvalid:
		body.Data.CheckedAt = &known.At
	case WarnExpired, WarnExpiresSoon:
		body.Data.ExpiresAt = &at
	case WarnUnused:
		body.Data.UnusedSince = &known.IdleSince
	case WarnSuspected: // is not told
	}
	text, err := json.Marshal(body)
	e := StoredEvent{
		ID:   uuid.NewHash(sha256.New(), of.ID, []byte(string(w)+" "+about), 8),
		User: user.ID, Secret: of.ID, Body: string(text), CreatedAt: now, DueAt: now,
		InstanceKey: signer.ID(),
	}
	e.Code = e.Row().Code(signer)
	return e, err
}

// toTell returns the user of a secret whose key is invalid, if the webhook may have to be told.
func (s *Service) toTell(
	ctx context.Context, owner uuid.UUID, known Health,
) (user *User, err error) {
	if !s.webhook.on || known.Outcome != catalog.OutcomeInvalid {
		return nil, nil //nolint:nilnil // it is no error that there is nothing to tell
	}
	err = s.core.view(ctx, func(r *snapshot) error {
		p, err := r.user(ctx, owner)
		if err != nil {
			return err
		}
		_, found, err := p.self(ctx)
		user = &found
		return err
	})
	return user, err
}

// tellInvalid stores the event of a key that is invalid, unless it was so before. It returns how
// many older ones made room.
func (s *Service) tellInvalid(
	ctx context.Context, tx Tx, user User, of StoredSecret, known Health,
) (dropped int, err error) {
	was, err := tx.Health(ctx, of.User, of.ID)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return 0, err
	}
	key, believed := s.instance.get(was.InstanceKey)
	if err == nil && believed && was.Row().HasCode(key, was.Code) && was.Stamp == of.Stamp &&
		catalog.Outcome(was.Outcome) == catalog.OutcomeInvalid {
		return 0, nil
	}
	about := fmt.Sprintf("%x %d", of.Stamp, was.At.UnixMicro())
	event, err := s.newEvent(user, of, known, WarnInvalid, about)
	if err != nil {
		return 0, err
	}
	return s.storeEvents(ctx, tx, event)
}

// storeEvents stores events, and returns how many older ones made room.
func (s *Service) storeEvents(
	ctx context.Context, tx Tx, events ...StoredEvent,
) (dropped int, err error) {
	if len(events) == 0 {
		return 0, nil
	}
	for _, e := range events {
		if err := tx.InsertEvent(ctx, e); err != nil {
			return 0, err
		}
	}
	n, err := tx.CountEvents(ctx)
	if err != nil || n <= s.webhook.most {
		return 0, err
	}
	return n - s.webhook.most, tx.TrimEvents(ctx, s.webhook.most)
}

// countDropped counts events that made room, if that was committed, and returns err.
func (s *Service) countDropped(n int, err error) error {
	if err == nil && n > 0 {
		s.webhook.dropped.Add(uint64(n))
	}
	return err
}
