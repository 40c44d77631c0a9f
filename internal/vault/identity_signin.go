package vault

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/policy"
	"github.com/keysake/keysake/plaintext"
)

// AttemptTime is how long a sign-in at a provider may take.
const AttemptTime = 10 * time.Minute

// A Person is who has signed in at a provider, as it says, and as the configuration reads that.
type Person struct {
	Identity

	Name    string // for that of a user who is made
	Email   string // that the provider has verified; empty for none
	Enters  bool   // has what is demanded of everybody
	Joins   bool   // becomes a user without having been one
	Admin   bool
	Attempt [sha256.Size]byte // no other sign-in has it
}

var errNotLetIn = denied("This server does not let you in. It may not know you, or you are " +
	"disabled or deleted, or lack what it demands: ask who runs it")

// errNoRoom keeps people who join from filling the instance's ledger.
var errNoRoom = &Error{
	Kind:   Unavailable,
	Detail: "This server takes in nobody new: it has no room for more users. Ask who runs it",
}

// SignInPerson opens a session of the user whom somebody is at a provider, and returns it with its
// token. Who has none yet becomes one, if the person joins. Denied: this server does not let the
// person in, or the sign-in was used before. Unavailable: it takes in nobody new.
func (s *Service) SignInPerson(
	ctx context.Context, p Person, client netip.Addr,
) (Session, plaintext.Value, error) {
	row, err := s.rowOf(ctx, p.Identity)
	if errors.Is(err, errStranger) && p.Enters && p.Joins {
		if err = s.join(ctx, p, client); err == nil || KindOf(err) == Conflict {
			row, err = s.rowOf(ctx, p.Identity)
		}
	}
	if errors.Is(err, errStranger) {
		err = errNotLetIn
	}
	if err != nil {
		return Session{}, plaintext.Value{}, err
	}
	who := row.actor()
	who.Client = client
	if !p.Enters || !p.Admin {
		err = s.shutOut(ctx, who, p)
	}
	if err == nil && !p.Enters {
		err = s.refuse(ctx, who, policy.SessionCreate, errNotLetIn)
	}
	if err != nil {
		return Session{}, plaintext.Value{}, err
	}
	return s.openSession(ctx, who, p)
}

// shutOut ends the sessions below the identity of a person who may not come in any more, or those
// of an admin of who is none any more, and such links and logins that nobody has used yet. A row
// that was changed, or cannot be read, keeps none of them open.
func (s *Service) shutOut(ctx context.Context, who Actor, p Person) error {
	in := inOwnLibrary(who, policy.SessionShutOut)
	return s.update(ctx, in, func(c *change) error {
		rows, _, err := c.rows.ReadableAPIKeys(ctx, c.owner)
		if err != nil {
			return err
		}
		for _, k := range rows {
			lost := !p.Enters || slices.Contains(k.Scopes, policy.Admin)
			if !lost || !(Stop{Sessions: true}).ends(k) || !k.mayWork(c.at) ||
				c.checkAPIKey(k) != nil {
				continue
			}
			isBelow, err := c.isBelow(ctx, k, who.Credential.ID)
			if err != nil {
				return err
			}
			if !isBelow {
				continue
			}
			c.record(k.target())
			if err := c.endAPIKey(ctx, k); err != nil {
				return err
			}
		}
		if len(c.entries) == 0 {
			return errUnchanged
		}
		return nil
	})
}

// isBelow reports whether a key is, or may be, below another one: also where what is above it does
// not verify.
func (c *change) isBelow(ctx context.Context, k APIKey, above uuid.UUID) (bool, error) {
	l, err := c.line(ctx, k)
	if c.isBroken(err) {
		return true, nil
	}
	return slices.ContainsFunc(l.keys, func(k APIKey) bool { return k.ID == above }), err
}

// join makes a user of a person. Conflict: the person has become one in the meantime.
func (s *Service) join(ctx context.Context, p Person, client netip.Addr) error {
	key, err := newIdentity(p.Identity, policy.UserScopes())
	if err != nil {
		return err
	}
	email, _ := NewEmail(p.Email) // the zero Email for what is none
	// Who does this is nobody yet: the identity is named, and no user.
	who := Actor{
		Credential: audit.Credential{Kind: audit.CredentialIdentity, ID: key.ID}, Client: client,
	}
	name, err := p.username(key.ID)
	if err != nil {
		return err
	}
	_, err = s.addUser(ctx, who, UserRequest{Username: name, Email: email}, func(c *change) error {
		instance, err := c.also(ctx, instanceLibrary())
		switch {
		case err != nil:
			return err
		case instance.ledger.Versions.Has(listed(key.Presented)):
			return &Error{Kind: Conflict, Detail: "Somebody has this identity already"}
		case !instance.ledger.HasRoom():
			return errNoRoom
		}
		return c.link(ctx, key)
	})
	return err
}

// username returns the name of a user who joins: what the provider says, as far as it can be one,
// and always an end of the row's own. Where people choose their names, whoever comes first is not
// taken for somebody else.
func (p Person) username(row uuid.UUID) (Username, error) {
	const endLength = 9
	text, _, _ := strings.Cut(strings.ToLower(p.Name), "@")
	text = strings.Map(func(r rune) rune {
		if usernamePattern.MatchString("0" + string(r)) {
			return r
		}
		return '-'
	}, text)
	text = cut(strings.TrimLeft(text, "._-"), maxUsername-endLength)
	return NewUsername(cmp.Or(text, "user") + "-" + hex.EncodeToString(row[12:]))
}

// openSession opens the session of who came by an identity.
func (s *Service) openSession(
	ctx context.Context, who Actor, p Person,
) (Session, plaintext.Value, error) {
	session, token, err := newAPIKey(who.User, audit.CredentialSession, KeyName{})
	if err != nil {
		return Session{}, plaintext.Value{}, err
	}
	session.Presented = p.Attempt[:]
	session.Scopes = policy.Common(who.Scopes, policy.UserScopes())
	if p.Admin {
		session.Scopes = append(session.Scopes, policy.Admin)
	}
	err = s.update(ctx, inOwnLibrary(who, policy.SessionCreate), func(c *change) error {
		return c.openSession(ctx, who, &session)
	})
	if err != nil {
		return Session{}, plaintext.Value{}, err
	}
	return sessionOf(session), token, nil
}

var errUsedAttempt = denied("This sign-in was used before: begin it anew")

// openSession stores a session below the credential by which its user came.
func (c *change) openSession(ctx context.Context, who Actor, session *APIKey) error {
	line, err := c.callersKey(ctx, who)
	if err != nil {
		return err
	}
	session.Parent = who.Credential.ID
	session.ExpiresAt = earlier(c.at.Add(SessionTime), line.keys[0].ExpiresAt)
	if err := c.makeRoomForSession(ctx); err != nil {
		return err
	}
	return c.addSession(ctx, session)
}

// addSession stores a session, the only one of its sign-in. The rows of sessions stay for
// [AttemptTime]: the ledger lists them, so that removing one makes no second chance.
func (c *change) addSession(ctx context.Context, session *APIKey) error {
	keys, err := c.apiKeys(ctx, c.at)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(keys, func(k APIKey) bool {
		return k.Kind == session.Kind && bytes.Equal(k.Presented, session.Presented)
	}) {
		return errUsedAttempt
	}
	session.SelfRevoke, session.CreatedAt, session.Active = true, c.at, true
	c.record(session.target())
	if err := c.addAPIKey(ctx, *session); KindOf(err) != Conflict {
		return err
	}
	return errUsedAttempt
}
