package identity

import (
	"context"
	"crypto/rand"
	"sync"

	"github.com/keysake/keysake/internal/vault"
	"github.com/keysake/keysake/plaintext"
)

// A firstLink is a sign-in link that only this process knows, until it is used: a development
// server offers one at each start, and leaves no trace of those that nobody followed.
type firstLink struct {
	mu    sync.Mutex
	token plaintext.Value // the zero Value is no link
	who   vault.Actor
}

// Offer returns the token of a link that signs in the user of a caller, once, while the server
// runs. The link of before is none any more.
func (s *Sessions) Offer(who vault.Actor) plaintext.Value {
	s.first.mu.Lock()
	defer s.first.mu.Unlock()
	s.first.token, s.first.who = plaintext.FromString(rand.Text()+rand.Text()), who
	return s.first.token
}

// LinkUser returns whom a sign-in link signs in, and leaves it unused. Unauthenticated: it was
// used, has expired, or never was one.
func (s *Sessions) LinkUser(ctx context.Context, link plaintext.Value) (vault.User, error) {
	s.first.mu.Lock()
	isFirst, who := s.first.is(link), s.first.who
	s.first.mu.Unlock()
	if isFirst {
		return s.vault.WhoAmI(ctx, who)
	}
	return s.vault.LinkUser(ctx, link)
}

func (l *firstLink) is(link plaintext.Value) bool { return link.Len() > 0 && l.token.Equal(link) }

// stored returns the link that a token is of. For the first link one is made now.
func (s *Sessions) stored(ctx context.Context, link plaintext.Value) (plaintext.Value, error) {
	s.first.mu.Lock()
	defer s.first.mu.Unlock()
	if !s.first.is(link) {
		return link, nil
	}
	_, made, err := s.vault.CreateSignInLink(ctx, s.first.who, s.first.who.User)
	if err == nil {
		s.first.token = plaintext.Value{}
	}
	return made, err
}
