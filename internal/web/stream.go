package web

import (
	"net/http"
	"sync"

	"github.com/google/uuid"
)

// How many streams there are at once. A browser has six connections to a site over HTTP/1.1, of
// which pages that are left open must not take all.
const (
	maxSessionStreams = 3
	maxStreams        = 200
)

var errManyStreams = &problem{
	status: http.StatusTooManyRequests, title: "Too many pages are live",
	detail: "Close one that shows requests as they come, or refresh this one by hand.",
}

// streams counts the streams that there are, in all and of each session.
type streams struct {
	mu   sync.Mutex
	all  int
	each map[uuid.UUID]int
}

// enter takes the place of a stream of a session.
func (s *streams) enter(session uuid.UUID) (leave func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all >= maxStreams || s.each[session] >= maxSessionStreams {
		return nil, errManyStreams
	}
	if s.each == nil {
		s.each = map[uuid.UUID]int{}
	}
	s.all++
	s.each[session]++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.all--
		if s.each[session]--; s.each[session] == 0 {
			delete(s.each, session)
		}
	}, nil
}
