package middleware

import (
	"context"
	"crypto/rand"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	// shareInterval is how often a server tells the others what it has let through.
	shareInterval = time.Second
	// remembered is how long another server counts that has told nothing.
	remembered = time.Minute
	// maxMessage bounds a message, in bytes.
	maxMessage = 7000
)

// A Sharing has servers take from their buckets what the others have let through, about a second
// later. While they do not hear each other, each has its part of every limit.
type Sharing struct {
	self     string
	send     func(context.Context, []string) error
	limiters map[string]shared

	mu     sync.Mutex
	others map[string]time.Time // when each was heard last
}

// A shared is a limiter, with its keys as texts.
type shared struct {
	used   func() map[string]int
	take   func(key string, n int)
	divide func(by int)
}

// NewSharing returns a Sharing that sends messages to the other servers. An error says that they do
// not get them, or that theirs are not heard.
func NewSharing(send func(context.Context, []string) error) *Sharing {
	return &Sharing{
		self: rand.Text(), send: send, limiters: map[string]shared{},
		others: map[string]time.Time{},
	}
}

// Share adds a limiter, before anything is taken from it. Its keys as texts have no spaces.
func Share[K comparable](
	s *Sharing, l *Limiter[K], text func(K) string, parse func(string) (K, bool),
) {
	if s == nil || l == nil {
		return
	}
	l.counted, l.used = true, map[K]int{}
	s.limiters[l.name] = shared{
		used: func() map[string]int {
			used := map[string]int{}
			for k, n := range l.takeUsed() {
				used[text(k)] = n
			}
			return used
		},
		take: func(key string, n int) {
			if k, ok := parse(key); ok {
				l.takeFor(k, n)
			}
		},
		divide: l.divide,
	}
}

// Run tells the others until ctx is done. A nil Sharing has none.
func (s *Sharing) Run(ctx context.Context) {
	if s == nil {
		return
	}
	tick := time.NewTicker(shareInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s.Tell(ctx)
		}
	}
}

// Tell tells the others what was let through since it was called last. If nothing was, it asks
// nobody.
func (s *Sharing) Tell(ctx context.Context) {
	messages := s.messages()
	if len(messages) == 0 {
		return
	}
	parts := 1
	if s.send(ctx, messages) != nil {
		parts += s.heard()
	}
	for _, l := range s.limiters {
		l.divide(parts)
	}
}

// messages are the name of this server and what it has let through: limiter, key and number.
func (s *Sharing) messages() (all []string) {
	var b strings.Builder
	for name, l := range s.limiters {
		for key, n := range l.used() {
			if b.Len() > maxMessage {
				all = append(all, b.String())
				b.Reset()
			}
			if b.Len() == 0 {
				b.WriteString(s.self)
			}
			b.WriteString(" " + name + " " + key + " " + strconv.Itoa(n))
		}
	}
	if b.Len() > 0 {
		all = append(all, b.String())
	}
	return all
}

// Hear takes from the buckets what a message of another server says. One's own is known.
func (s *Sharing) Hear(message string) {
	words := strings.Fields(message)
	if len(words) == 0 || words[0] == s.self {
		return
	}
	s.mu.Lock()
	s.others[words[0]] = time.Now()
	s.mu.Unlock()
	for words = words[1:]; len(words) >= 3; words = words[3:] {
		l, known := s.limiters[words[0]]
		if n, err := strconv.Atoi(words[2]); known && err == nil && n > 0 {
			l.take(words[1], n)
		}
	}
}

// heard returns how many other servers there are.
func (s *Sharing) heard() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, at := range s.others {
		if time.Since(at) > remembered {
			delete(s.others, name)
		}
	}
	return len(s.others)
}
