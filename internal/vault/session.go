package vault

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/policy"
	"github.com/keysake/keysake/plaintext"
)

// How long a session of the pages lasts, from the sign-in and from its last request, and how long a
// sign-in link can be followed.
const (
	SessionTime = 12 * time.Hour
	SessionIdle = time.Hour
	LinkTime    = 15 * time.Minute
)

// maxSessions is how many sessions and unused links a user has. A further one ends the oldest.
const maxSessions = 20

// A Session is a sign-in to the pages.
type Session struct {
	Actor

	SignedInAt time.Time
	Maker      uuid.UUID // the API key that made its link; nil for the operator
}

// CreateSignInLink makes a link that signs a user in once, and returns it with its token. What the
// user may then do is what the caller's key may do in its own library; all that it may do, only the
// caller may. It needs the scope admin. NotFound: no such user. Conflict: the user is disabled.
func (s *Service) CreateSignInLink(
	ctx context.Context, who Actor, user uuid.UUID,
) (APIKey, plaintext.Value, error) {
	in := intent{who: who, action: policy.SignInLinkCreate, library: userLibrary(user)}
	if user != who.User {
		return s.createLink(ctx, in, policy.Common(who.Scopes, policy.UserScopes()))
	}
	return s.createLink(ctx, in, who.Scopes)
}

// CreateOwnSignInLink is CreateSignInLink for the caller. It needs the scope keys:write.
func (s *Service) CreateOwnSignInLink(
	ctx context.Context, who Actor,
) (APIKey, plaintext.Value, error) {
	return s.createLink(ctx, inOwnLibrary(who, policy.SignInLinkOwn), who.Scopes)
}

func (s *Service) createLink(
	ctx context.Context, in intent, scopes []policy.Scope,
) (APIKey, plaintext.Value, error) {
	link, token, err := newAPIKey(in.library.owner, audit.CredentialSignInLink, KeyName{})
	if err != nil {
		return APIKey{}, plaintext.Value{}, err
	}
	link.Scopes = scopes
	err = s.update(ctx, in, func(c *change) (err error) {
		var ends time.Time
		link.Parent, ends, err = c.checkMaker(ctx, in.who, scopes, Expiry{})
		if err != nil {
			return err
		}
		if err := c.checkEnabled(); err != nil {
			return err
		}
		link.CreatedAt, link.Active = c.at, true
		link.ExpiresAt = earlier(c.at.Add(LinkTime), ends)
		if err := c.makeRoomForSession(ctx); err != nil {
			return err
		}
		c.record(link.target())
		return c.addAPIKey(ctx, link)
	})
	if err != nil {
		return APIKey{}, plaintext.Value{}, err
	}
	return link, token, nil
}

// earlier returns the earlier of two times; the zero time stands for never.
func earlier(a, b time.Time) time.Time {
	if b.IsZero() || a.Before(b) {
		return a
	}
	return b
}

// LinkUser returns whom a sign-in link signs in, and leaves it unused. Unauthenticated: it was
// used, has expired, or never was one.
func (s *Service) LinkUser(ctx context.Context, link plaintext.Value) (User, error) {
	key, err := s.present(ctx, linkPrefix, link, s.now())
	if err != nil {
		return User{}, err
	}
	return s.WhoAmI(ctx, key.actor())
}

// SignIn uses a sign-in link up and returns the session that it opens, with its token.
// Unauthenticated: as of [Service.LinkUser].
func (s *Service) SignIn(
	ctx context.Context, link plaintext.Value, client netip.Addr,
) (Session, plaintext.Value, error) {
	presented, err := s.present(ctx, linkPrefix, link, s.now())
	if err != nil {
		return Session{}, plaintext.Value{}, err
	}
	session, token, err := newAPIKey(presented.User, audit.CredentialSession, KeyName{})
	if err != nil {
		return Session{}, plaintext.Value{}, err
	}
	who := presented.actor()
	who.Client = client
	err = s.update(ctx, inOwnLibrary(who, policy.SessionCreate), func(c *change) error {
		line, err := c.callersKey(ctx, who) // which no second sign-in finds
		if err != nil {
			return err
		}
		used, ends := line.keys[0], time.Time{}
		if len(line.keys) > 1 {
			ends = line.keys[1].ExpiresAt
		}
		session.Parent, session.Scopes, session.SelfRevoke = used.Parent, used.Scopes, true
		session.CreatedAt, session.Active = c.at, true
		session.ExpiresAt = earlier(c.at.Add(SessionTime), ends)
		if err := c.removeAPIKey(ctx, used); err != nil {
			return err
		}
		if err := c.makeRoomForSession(ctx); err != nil {
			return err
		}
		c.record(session.target())
		return c.addAPIKey(ctx, session)
	})
	if err != nil {
		return Session{}, plaintext.Value{}, err
	}
	return sessionOf(session), token, nil
}

func sessionOf(k APIKey) Session { return Session{k.actor(), k.CreatedAt, k.Parent} }

// makeRoomForSession removes the sessions and links that do not work, and the oldest if there are
// as many as there may be.
func (c *change) makeRoomForSession(ctx context.Context) error {
	keys, err := c.apiKeys(ctx, c.at)
	if err != nil {
		return err
	}
	active := 0
	for _, k := range keys { // newest first
		if k.Kind != audit.CredentialSession && k.Kind != audit.CredentialSignInLink {
			continue
		}
		if k.Active {
			active++
		}
		recent := k.Presented != nil && c.at.Sub(k.CreatedAt) < AttemptTime // see addSession
		if k.Active && active < maxSessions || !k.Active && recent {
			continue
		}
		end := c.removeAPIKey
		if recent {
			end = c.endAPIKey
		}
		if err := end(ctx, k); err != nil {
			return err
		}
	}
	return nil
}

// AuthenticateSession returns the session that a token is of. Unauthenticated, without saying why:
// it is of none, or of one that has ended, also by not being used for [SessionIdle].
//
// When a session was used nothing vouches for: who writes the database keeps one open for
// [SessionTime], but opens none.
func (s *Service) AuthenticateSession(
	ctx context.Context, token plaintext.Value,
) (Session, error) {
	session, err := s.LookAtSession(ctx, token)
	if err == nil {
		s.used.touch(session.Credential.ID, s.now())
	}
	return session, err
}

// LookAtSession is AuthenticateSession for what is no use of the session: a page that is only left
// open keeps none from ending.
func (s *Service) LookAtSession(ctx context.Context, token plaintext.Value) (Session, error) {
	now := s.now()
	key, err := s.present(ctx, sessionPrefix, token, now)
	if err != nil {
		return Session{}, err
	}
	last := s.used.latest(key.ID, key.CreatedAt)
	if now.Sub(last) >= SessionIdle {
		var stored time.Time
		err := s.store.Read(ctx, func(r Reader) (err error) {
			stored, err = r.APIKeyUsed(ctx, key.ID)
			return err
		})
		if err != nil {
			return Session{}, err
		}
		if now.Sub(stored) >= SessionIdle {
			return Session{}, unauthenticated()
		}
	}
	return sessionOf(key), nil
}

// ListSessions returns the caller's open sessions, newest first. It needs the scope keys:write.
func (s *Service) ListSessions(ctx context.Context, who Actor) (open []APIKey, err error) {
	now := s.now()
	err = s.view(ctx, who, policy.SessionList, func(p *page) error {
		open, err = p.apiKeys(ctx, now)
		return err
	})
	for i := range open {
		open[i].LastUsedAt = s.used.latest(open[i].ID, open[i].LastUsedAt)
	}
	return slices.DeleteFunc(open, func(k APIKey) bool {
		idle := now.Sub(lastUse(k)) >= SessionIdle
		return k.Kind != audit.CredentialSession || !k.Active || idle
	}), err
}

func lastUse(k APIKey) time.Time {
	if k.LastUsedAt.After(k.CreatedAt) {
		return k.LastUsedAt
	}
	return k.CreatedAt
}

// EndSession ends one of the caller's sessions. It needs the scope keys:write. A session ends
// itself by [Service.RevokeSelf], for which it needs none. NotFound: there is none of that id that
// is open, or it is another user's. Denied: an admin's session, by one who is none.
func (s *Service) EndSession(ctx context.Context, who Actor, id uuid.UUID) error {
	return s.revoke(ctx, who, policy.SessionEnd, id)
}
