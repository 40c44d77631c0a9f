package store

import (
	"encoding/binary"
	"sync/atomic"

	"github.com/google/uuid"
)

// Moments number what was told of users, and keep the number of the last that was told of each.
// Several users may share one: then more is read again than must be. One goroutine tells at a time.
type Moments struct {
	last  atomic.Uint64 // that is known
	all   atomic.Uint64 // of the last that may concern every user
	users [4096]atomic.Uint64
}

func (m *Moments) of(user uuid.UUID) *atomic.Uint64 {
	return &m.users[int(binary.BigEndian.Uint16(user[14:]))%len(m.users)]
}

// Moment implements [vault.Store].
func (m *Moments) Moment() uint64 { return m.last.Load() }

// Silent reports whether nothing that concerns a user was told since a moment.
func (m *Moments) Silent(user uuid.UUID, since uint64) bool {
	return m.all.Load() <= since && m.of(user).Load() <= since
}

// Tell tells of users, of each with a number of its own, in their order. The nil id concerns
// everyone.
func (m *Moments) Tell(users []uuid.UUID) {
	next := m.last.Load()
	for _, user := range users {
		if next++; user == uuid.Nil {
			m.all.Store(next)
		}
		m.of(user).Store(next)
	}
	m.last.Store(next)
}
