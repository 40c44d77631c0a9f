package store

import (
	"encoding/binary"
	"sync/atomic"

	"github.com/google/uuid"
)

// Moments number what was told of users, and keep the number of the last that was told of each. Two
// users may share one: then more is read again than must be. One goroutine tells at a time.
type Moments struct {
	last  atomic.Uint64 // that is known
	all   atomic.Uint64 // of the last that concerns every user
	users [1 << 16]atomic.Uint64
}

// of returns what is kept for a user, or for everyone.
func (m *Moments) of(user uuid.UUID) *atomic.Uint64 {
	if user == uuid.Nil {
		return &m.all
	}
	return &m.users[binary.BigEndian.Uint16(user[14:])]
}

// Moment implements [vault.Store].
func (m *Moments) Moment() uint64 { return m.last.Load() }

// Silent reports whether nothing that concerns a user was told since a moment; for the nil id,
// whether nothing was that concerns everyone.
func (m *Moments) Silent(user uuid.UUID, since uint64) bool {
	return m.all.Load() <= since && m.of(user).Load() <= since
}

// Tell tells of users, of each with a number of its own, in their order. The nil id concerns
// everyone.
func (m *Moments) Tell(users []uuid.UUID) {
	next := m.last.Load()
	for _, user := range users {
		next++
		m.of(user).Store(next)
	}
	m.last.Store(next)
}
