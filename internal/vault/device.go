package vault

import (
	"context"
	"net/netip"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/policy"
	"github.com/keysake/keysake/plaintext"
)

// How long the login of a program waits for its user, how long it can be fetched after that, and
// how long the API key works that it gets.
const (
	DeviceLoginTime = 10 * time.Minute
	DeviceFetchTime = time.Minute
	DeviceKeyTime   = 90 * 24 * time.Hour
)

// At most maxWaiting logins wait, of all programs, and maxConfirmed of a user were confirmed and
// not fetched yet.
const (
	maxWaiting   = 1000
	maxConfirmed = 20
)

// A DeviceRequest says what a program is that asks to be let in. Nothing vouches for it.
type DeviceRequest struct {
	Name   KeyName
	Scopes Scopes     // that it asks for; the zero Scopes for the usual ones
	Client netip.Addr // its address
}

// A WaitingLogin is the login of a program, as the program itself or its user sees it.
type WaitingLogin struct {
	ID        uuid.UUID
	UserCode  string // what people type
	Name      string
	Client    string
	Scopes    []policy.Scope // that it gets; for its user only
	KeyEnds   time.Time      // when the key ends that it gets; for its user only
	ExpiresAt time.Time
	User      uuid.UUID // who has confirmed it; nil while it waits
}

// ErrLoginWaits is in the chain of the [Unauthenticated] error for a login that waits for its user.
var ErrLoginWaits = &Error{Kind: Unauthenticated, Detail: "The login waits for its confirmation"}

var errTooManyLogins = &Error{
	Kind: Unavailable, Detail: "Too many logins wait to be confirmed: try again in a few minutes",
}

// StartDeviceLogin remembers that a program asks to be let in, and returns the token with which it
// fetches its API key, once a user has confirmed it. Invalid: there is no such scope. Unavailable:
// too many wait, or the instance is locked down.
func (s *Service) StartDeviceLogin(
	ctx context.Context, in DeviceRequest,
) (WaitingLogin, plaintext.Value, error) {
	if in.Scopes.names != nil { // whether its user has them is for later
		if len(in.Scopes.names) == 0 {
			return WaitingLogin{}, plaintext.Value{}, invalid(
				Field{"allowed_scopes", TooFew, "Ask for at least one scope"})
		}
		if _, err := checkScopes(in.Scopes.names, policy.AllScopes()); err != nil {
			return WaitingLogin{}, plaintext.Value{}, err
		}
	}
	key, err := s.instance.first()
	if err != nil {
		return WaitingLogin{}, plaintext.Value{}, err
	}
	id, err := newID()
	if err != nil {
		return WaitingLogin{}, plaintext.Value{}, err
	}
	token := newToken(devicePrefix)
	hash, _ := hashToken(devicePrefix, token)
	now := s.time()
	d := DeviceLogin{
		ID: id, Hash: hash, Name: in.Name.text, Client: audit.AddrText(in.Client),
		Scopes: strings.Join(in.Scopes.names, " "), ExpiresAt: now.Add(DeviceLoginTime),
	}
	d.sign(key)
	if locked, err := s.LockedDown(ctx); err != nil || locked {
		return WaitingLogin{}, plaintext.Value{}, firstError(err, errLockedDown)
	}
	err = s.store.Update(ctx, func(tx Tx) error {
		if err := tx.DeleteExpiredDeviceLogins(ctx, now); err != nil {
			return err
		}
		if n, err := tx.CountDeviceLogins(ctx); err != nil || n >= maxWaiting {
			return firstError(err, errTooManyLogins)
		}
		return tx.InsertDeviceLogin(ctx, d)
	})
	if KindOf(err) == Conflict { // another one is typed the same: one of some 25 million
		err = errTooManyLogins
	}
	if err != nil {
		return WaitingLogin{}, plaintext.Value{}, err
	}
	return WaitingLogin{
		ID: id, UserCode: userCode(key, hash), Name: d.Name, Client: d.Client,
		ExpiresAt: d.ExpiresAt,
	}, token, nil
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// LookAtDeviceLogin returns a login to the program that has its token. NotFound: it neither waits
// nor can be fetched.
func (s *Service) LookAtDeviceLogin(
	ctx context.Context, token plaintext.Value,
) (WaitingLogin, error) {
	hash, ok := hashToken(devicePrefix, token)
	if !ok {
		return WaitingLogin{}, errNoLogin
	}
	instance, err := s.instance.first()
	if err != nil {
		return WaitingLogin{}, err
	}
	login := WaitingLogin{UserCode: userCode(instance, hash)}
	confirmed, err := s.present(ctx, devicePrefix, token, s.now())
	if KindOf(err) != Unauthenticated {
		login.ID, login.ExpiresAt, login.User = confirmed.ID, confirmed.ExpiresAt, confirmed.User
		return login, err
	}
	err = s.store.View(ctx, func(r Reader) error {
		d, err := s.waitingFor(ctx, r, hash)
		login.ID, login.ExpiresAt = d.ID, d.ExpiresAt
		return err
	})
	return login, err
}

// FindDeviceLogin returns the login of what a user typed, with what it gets if the user confirms
// it. It needs the scope keys:write. NotFound: none waits. Denied: it asks for a scope that the
// caller lacks.
func (s *Service) FindDeviceLogin(
	ctx context.Context, who Actor, typed string,
) (login WaitingLogin, err error) {
	if err := s.authorize(ctx, who, policy.DeviceConfirm); err != nil {
		return WaitingLogin{}, err
	}
	err = s.store.View(ctx, func(r Reader) error {
		d, err := s.waiting(ctx, r, typed)
		if err != nil {
			return err
		}
		code, _ := NormalUserCode(typed)
		login = WaitingLogin{
			ID: d.ID, UserCode: code, Name: d.Name, Client: d.Client,
			KeyEnds: s.time().Add(DeviceKeyTime), ExpiresAt: d.ExpiresAt,
		}
		login.Scopes, err = d.granted(who.Scopes)
		return err
	})
	return login, err
}

// ConfirmDeviceLogin lets a program in, as the caller's user: it fetches an API key with its token.
// It needs the scope keys:write. NotFound: none waits. Denied: it asks for a scope that the caller
// lacks.
func (s *Service) ConfirmDeviceLogin(ctx context.Context, who Actor, typed string) error {
	return s.update(ctx, inOwnLibrary(who, policy.DeviceConfirm), func(c *change) error {
		d, err := s.waiting(ctx, c.rows, typed)
		if err != nil {
			return err
		}
		key := APIKey{
			ID: d.ID, Kind: audit.CredentialDevice, User: who.User, Hash: d.Hash, Name: d.Name,
			CreatedAt: c.at, Active: true,
		}
		if key.Scopes, err = d.granted(who.Scopes); err != nil {
			return err
		}
		var ends time.Time
		key.Parent, ends, err = c.checkMaker(ctx, who, key.Scopes, Expiry{})
		if err != nil {
			return err
		}
		key.ExpiresAt = earlier(d.ExpiresAt.Add(DeviceFetchTime), ends)
		if err := c.makeRoom(ctx, key.Kind); err != nil {
			return err
		}
		if err := c.tx.DeleteDeviceLogin(ctx, d.Hash); err != nil {
			return err
		}
		c.record(key.target())
		return c.addAPIKey(ctx, key)
	})
}

// RefuseDeviceLogin forgets the login of a program. It needs the scope keys:write. NotFound: none
// waits.
func (s *Service) RefuseDeviceLogin(ctx context.Context, who Actor, typed string) error {
	return s.update(ctx, inOwnLibrary(who, policy.DeviceRefuse), func(c *change) error {
		d, err := s.waiting(ctx, c.rows, typed)
		if err != nil {
			return err
		}
		c.record(audit.Target{Kind: audit.TargetDevice, ID: d.ID, Name: d.Name})
		return c.tx.DeleteDeviceLogin(ctx, d.Hash)
	})
}

// FetchDeviceLogin uses a confirmed login up, and returns the API key that it stands for, with its
// token. Unauthenticated, with [ErrLoginWaits]: it is not confirmed yet. NotFound: it neither waits
// nor can be fetched.
func (s *Service) FetchDeviceLogin(
	ctx context.Context, token plaintext.Value, client netip.Addr,
) (APIKey, plaintext.Value, error) {
	confirmed, err := s.present(ctx, devicePrefix, token, s.now())
	if KindOf(err) == Unauthenticated {
		if _, err = s.LookAtDeviceLogin(ctx, token); err == nil {
			err = ErrLoginWaits
		}
	}
	if err != nil {
		return APIKey{}, plaintext.Value{}, err
	}
	key, made, err := newAPIKey(confirmed.User, "", KeyName{confirmed.Name})
	if err != nil {
		return APIKey{}, plaintext.Value{}, err
	}
	who := confirmed.actor()
	who.Client = client
	err = s.update(ctx, inOwnLibrary(who, policy.DeviceLogin), func(c *change) error {
		line, err := c.callersKey(ctx, who) // which no second fetch finds
		if err != nil {
			return err
		}
		used, ends := line.keys[0], time.Time{}
		if len(line.keys) > 1 {
			ends = line.keys[1].ExpiresAt
		}
		key.Parent, key.Scopes, key.SelfRevoke = used.Parent, used.Scopes, true
		key.CreatedAt, key.Active = c.at, true
		key.ExpiresAt = earlier(c.at.Add(DeviceKeyTime), ends)
		if err := c.removeAPIKey(ctx, used); err != nil {
			return err
		}
		if err := c.makeRoom(ctx, ""); err != nil {
			return err
		}
		c.record(key.target())
		return c.addAPIKey(ctx, key)
	})
	if KindOf(err) == Unauthenticated {
		err = errNoLogin
	}
	if err != nil {
		return APIKey{}, plaintext.Value{}, err
	}
	return key, made, nil
}
