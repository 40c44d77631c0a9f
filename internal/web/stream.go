package web

import (
	"net/http"
	"sync"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/vault"
)

// How many streams there are at once. A browser has six connections to a site over HTTP/1.1, of
// which pages that are left open must not take all.
const (
	maxSessionStreams = 3
	maxUserStreams    = 12 // of 20 sessions that a user may have
	maxStreams        = 200
)

var errManyStreams = &problem{
	status: http.StatusTooManyRequests, title: "Too many pages are live",
	detail: "Close one that shows requests as they come, or refresh this one by hand.",
}

// streams counts the streams that there are, in all, and of each session and each user.
type streams struct {
	mu   sync.Mutex
	all  int
	each map[uuid.UUID]int
}

// enter takes the place of a stream of a session.
func (s *streams) enter(session vault.Actor) (leave func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all >= maxStreams || s.each[session.User] >= maxUserStreams ||
		s.each[session.Credential.ID] >= maxSessionStreams {
		return nil, errManyStreams
	}
	s.add(session, 1)
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.add(session, -1)
	}, nil
}

func (s *streams) add(session vault.Actor, n int) {
	if s.each == nil {
		s.each = map[uuid.UUID]int{}
	}
	s.all += n
	for _, of := range []uuid.UUID{session.User, session.Credential.ID} {
		if s.each[of] += n; s.each[of] == 0 {
			delete(s.each, of)
		}
	}
}
