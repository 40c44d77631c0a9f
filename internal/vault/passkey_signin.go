package vault

import (
	"bytes"
	"context"
	"errors"
	"net/netip"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/policy"
	"github.com/keysake/keysake/plaintext"
)

// errNoPasskey says no more to who presents what is no answer of a passkey that is known.
func errNoPasskey(cause error) error {
	return &Error{
		Kind: Unauthenticated, Cause: cause,
		Detail: "That is no passkey by which somebody comes in here, or its answer came too late",
	}
}

// errSecondPasskey is for an answer that a second authenticator with the same passkey may have
// given.
var errSecondPasskey = &Error{
	Kind: Conflict,
	Detail: "The passkey counts its uses, and has counted back: somebody may have a copy of it. " +
		"It was not accepted. Remove it, and add another",
}

// SignInByPasskey opens a session of the user whose passkey answers, and returns it with its token.
// Unauthenticated: nobody has that passkey, it does not work any more, or the answer is not its
// own. Denied: the answer was used before. Conflict: there may be two of the passkey.
func (s *Service) SignInByPasskey(
	ctx context.Context, answer PasskeyAnswer, client netip.Addr,
) (Session, plaintext.Value, error) {
	k, err := s.answering(ctx, answer)
	if err == nil && !bytes.Equal(answer.User, k.User[:]) {
		err = errNoPasskey(errForeignPasskey)
	}
	if err != nil {
		return Session{}, plaintext.Value{}, err
	}
	who := k.actor()
	who.Client = client
	return s.openByPasskey(ctx, who, policy.SessionCreate, answer,
		func(c *change, session *APIKey) error {
			session.Scopes = policy.Common(k.Scopes, policy.UserScopes())
			return c.openSession(ctx, who, session)
		})
}

// ConfirmSession opens a session in place of the caller's, which ends, and returns it with its
// token: the same in all but that its user was there just now, as one of their passkeys says. It
// ends when the caller's would have ended. Errors are those of [Service.SignInByPasskey], and
// Denied: the passkey gives less than the session does in its user's own library.
func (s *Service) ConfirmSession(
	ctx context.Context, who Actor, answer PasskeyAnswer,
) (Session, plaintext.Value, error) {
	k, err := s.answering(ctx, answer)
	if err == nil && (k.User != who.User ||
		len(answer.User) > 0 && !bytes.Equal(answer.User, k.User[:])) {
		err = errNoPasskey(errForeignPasskey)
	}
	if err != nil {
		return Session{}, plaintext.Value{}, err
	}
	by := k.actor()
	by.Client = who.Client
	// A key that may do little, and adds a passkey in a session of its own, would otherwise confirm
	// the sessions of all others.
	if len(policy.Missing(policy.Common(who.Scopes, policy.UserScopes()), k.Scopes)) > 0 {
		return Session{}, plaintext.Value{}, s.refuse(ctx, by, policy.SessionConfirm, errLesser)
	}
	return s.openByPasskey(ctx, by, policy.SessionConfirm, answer,
		func(c *change, session *APIKey) error { return c.replaceSession(ctx, who, session) })
}

var errLesser = denied("This passkey may do less than the session: use another, or sign in anew")

var errForeignPasskey = errors.New("the passkey is another user's")

// openByPasskey has open store a session that a passkey opens.
func (s *Service) openByPasskey(
	ctx context.Context, by Actor, action policy.Action, answer PasskeyAnswer,
	open func(*change, *APIKey) error,
) (Session, plaintext.Value, error) {
	session, token, err := newAPIKey(by.User, audit.CredentialSession, KeyName{})
	if err != nil {
		return Session{}, plaintext.Value{}, err
	}
	session.Presented = answer.Attempt[:]
	err = s.update(ctx, inOwnLibrary(by, action), func(c *change) error {
		if _, err := c.callersKey(ctx, by); err != nil {
			return err
		}
		if err := c.countPasskey(ctx, by.Credential.ID, answer.Counter); err != nil {
			return err
		}
		return open(c, &session)
	})
	if errors.Is(err, errSecondPasskey) {
		err = s.refuse(ctx, by, policy.PasskeyDispute, err)
	}
	if err != nil {
		return Session{}, plaintext.Value{}, err
	}
	s.used.touch(by.Credential.ID, s.now())
	return sessionOf(session), token, nil
}

// replaceSession stores a session in place of the caller's. Nothing is below that: only what admins
// make who came by a provider is below a session, and they have no passkeys.
func (c *change) replaceSession(ctx context.Context, who Actor, session *APIKey) error {
	own, err := c.callersKey(ctx, who)
	if err != nil {
		return err
	}
	before := own.keys[0]
	if before.Kind != session.Kind {
		return unauthenticated()
	}
	session.Parent, session.Scopes = before.Parent, before.Scopes
	session.ExpiresAt = before.ExpiresAt
	if err := c.addSession(ctx, session); err != nil {
		return err
	}
	if err := c.endAPIKey(ctx, before); err != nil {
		return err
	}
	return c.makeRoomForSession(ctx)
}

// answering returns the passkey that an answer is of, if it works and has signed the answer.
func (s *Service) answering(ctx context.Context, answer PasskeyAnswer) (k Passkey, err error) {
	mark := passkeyMark(answer.Credential)
	err = s.core.view(ctx, func(r *snapshot) error {
		row, works, err := r.presented(ctx, audit.CredentialPasskey, mark, s.now())
		if err == nil && !works || errors.Is(err, ErrNotFound) {
			err = errNoPasskey(errors.New("there is no such passkey, or it does not work"))
		}
		if err == nil {
			k, err = row.passkey()
		}
		return err
	})
	if err != nil {
		return Passkey{}, err
	}
	if !bytes.Equal(k.Terms.Credential, answer.Credential) {
		return Passkey{}, tampered("API key "+k.ID.String(), errIndex)
	}
	if err := answer.Verify(k.Terms.PublicKey); err != nil {
		return Passkey{}, errNoPasskey(err)
	}
	return k, nil
}

// countPasskey stores how far a passkey has counted. [errSecondPasskey]: no further than before.
// One that never counts is as good: most that are on several devices do not.
func (c *change) countPasskey(ctx context.Context, id uuid.UUID, now uint32) error {
	row, err := c.apiKey(ctx, id)
	if err != nil {
		return callerGone(err)
	}
	k, err := row.passkey()
	if err != nil {
		return err
	}
	before := k.Terms.Counter
	switch {
	case before == 0 && now == 0:
		return nil
	case now <= before:
		return errSecondPasskey
	}
	c.ledger.APIKeys.Remove(c.apiKeyEntry(row))
	k.Terms.Counter = now
	row.TermsJSON = encodeTerms(k.Terms)
	c.ledger.APIKeys.Add(c.apiKeyEntry(row))
	return c.tx.SetAPIKeyTerms(ctx, row.User, row.ID, row.TermsJSON)
}
