package vault

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/catalog"
	"github.com/keysake/keysake/internal/policy"
	"github.com/keysake/keysake/plaintext"
)

// An APIKeyRequest says what a new API key is to be.
type APIKeyRequest struct {
	Name       KeyName
	SelfRevoke bool // it may revoke itself
	Scopes     Scopes
	ExpiresAt  Expiry
}

// Scopes are those that a new API key is to have. The zero Scopes stand for all that the caller's
// own key has, except admin, act:user and keys:write.
type Scopes struct{ names []string }

// NewScopes returns the scopes of these names; nil makes the zero Scopes. Invalid: there are too
// many. The use case says whether each exists, and whether the caller may give it.
func NewScopes(names []string) (Scopes, error) {
	if len(names) > maxScopes {
		return Scopes{}, invalid(
			Field{"allowed_scopes", TooMany, fmt.Sprintf("At most %d scopes", maxScopes)})
	}
	return Scopes{names}, nil
}

// An Expiry is when a new API key ends. The zero Expiry stands for the end of the key that makes
// it.
type Expiry struct{ at time.Time }

// lastYear is the last that can be stored: JSON has no text for a later one.
const lastYear = 9999

// NewExpiry returns the expiry at that time. Invalid: the time is past by every clock, such as Go's
// zero time, which must not pass for never, or later than can be stored.
func NewExpiry(at time.Time) (Expiry, error) {
	switch {
	case at.Unix() <= 0:
		return Expiry{}, expired()
	case at.UTC().Year() > lastYear:
		return Expiry{}, invalid(
			Field{"expires_at", GoodValue, "Expiry must be before the year 10000"})
	}
	return Expiry{at.UTC().Truncate(time.Microsecond)}, nil
}

func expired() error {
	return invalid(Field{"expires_at", GoodValue, "Expiry must be in the future"})
}

// CreateAPIKey makes an API key for the caller and returns it with its token, which is never shown
// again. The key ends with the one that calls. It needs the scope keys:write. Invalid: no such
// scope, or an expiry that is past. Denied: a scope that the caller's own key lacks, an expiry
// after its own, or too many keys.
func (s *Service) CreateAPIKey(
	ctx context.Context, who Actor, in APIKeyRequest,
) (APIKey, plaintext.Value, error) {
	return s.createAPIKey(ctx, inOwnLibrary(who, policy.APIKeyCreate), in)
}

// CreateAPIKeyFor is CreateAPIKey for another user. It needs the scope admin. NotFound: no such
// user. Conflict: the user is disabled.
func (s *Service) CreateAPIKeyFor(
	ctx context.Context, who Actor, user uuid.UUID, in APIKeyRequest,
) (APIKey, plaintext.Value, error) {
	granted := intent{who: who, action: policy.APIKeyCreateFor, library: userLibrary(user)}
	return s.createAPIKey(ctx, granted, in)
}

func (s *Service) createAPIKey(
	ctx context.Context, in intent, request APIKeyRequest,
) (APIKey, plaintext.Value, error) {
	if err := s.authorize(ctx, in.who, in.action); err != nil {
		return APIKey{}, plaintext.Value{}, err
	}
	scopes, err := checkScopes(request.Scopes.names, in.who.Scopes)
	if KindOf(err) == Denied {
		err = s.refuse(ctx, in.who, in.action, err)
	}
	if err != nil {
		return APIKey{}, plaintext.Value{}, err
	}
	key, token, err := newAPIKey(in.library.owner, "", request.Name)
	if err != nil {
		return APIKey{}, plaintext.Value{}, err
	}
	key.Scopes, key.SelfRevoke = scopes, request.SelfRevoke
	err = s.update(ctx, in, func(c *change) (err error) {
		key.Parent, key.ExpiresAt, err = c.checkMaker(ctx, in.who, scopes, request.ExpiresAt)
		if err != nil {
			return err
		}
		if err := c.checkEnabled(); err != nil {
			return err
		}
		if err := c.makeRoom(ctx, ""); err != nil {
			return err
		}
		key.CreatedAt, key.Active = c.at, true
		c.record(key.target())
		return c.addAPIKey(ctx, key)
	})
	if err != nil {
		return APIKey{}, plaintext.Value{}, err
	}
	return key, token, nil
}

// checkMaker returns the parent of a key with these scopes that who makes, and when the key ends:
// no later than its parent. What is made in a session outlives it, as a child of what made the
// session. But who is an admin because a provider says so is one for that session: what is made
// with the scope admin ends with it. Unauthenticated: the caller's key does not work any more.
// Denied: its line is as long as one may be.
func (c *change) checkMaker(
	ctx context.Context, who Actor, scopes []policy.Scope, wanted Expiry,
) (parent uuid.UUID, ends time.Time, err error) {
	above, err := c.callersKey(ctx, who)
	if err != nil {
		return uuid.Nil, time.Time{}, err
	}
	bySaying := len(above.keys) > 1 && above.keys[1].Kind == audit.CredentialIdentity
	if above.keys[0].Kind != "" && (!bySaying || !slices.Contains(scopes, policy.Admin)) {
		above.keys = above.keys[1:]
	}
	if len(above.keys) > 0 {
		parent, ends = above.keys[0].ID, above.keys[0].ExpiresAt
	}
	switch {
	case len(above.keys) >= maxLine:
		err = denied(fmt.Sprintf(
			"The API key is the %dth in its line: create the new one with a key above it", maxLine))
	case wanted.at.IsZero():
		return parent, ends, nil
	case !wanted.at.After(c.at):
		err = expired()
	case !ends.IsZero() && wanted.at.After(ends):
		err = denied("An API key cannot outlive the one that makes it")
	}
	return parent, wanted.at, err
}

// makeRoom refuses a further key of a kind if there are too many active ones, and removes those
// that do not work except the newest. A credential that was given for a token stays while the token
// is remembered.
func (c *change) makeRoom(ctx context.Context, kind audit.CredentialKind) error {
	keys, err := c.apiKeys(ctx, c.at)
	if err != nil {
		return err
	}
	active, inactive := 0, map[audit.CredentialKind]int{}
	for _, k := range keys { // newest first
		keep := k.Active
		switch {
		case k.Active && k.Kind == kind:
			active++
		case k.Active:
		case k.Kind == audit.CredentialWorkload:
			a, err := k.admission()
			if err != nil {
				return err
			}
			keep = a.remembered(c.at)
		default:
			inactive[k.Kind]++
			keep = inactive[k.Kind] <= maxInactiveKeys
		}
		if !keep {
			if err := c.removeAPIKey(ctx, k); err != nil {
				return err
			}
		}
	}
	return checkRoom(kind, active)
}

// checkRoom refuses a further key of a kind of which so many work.
func checkRoom(kind audit.CredentialKind, active int) error {
	switch {
	case kind == "" && active >= maxActiveKeys:
		return denied("The user has too many API keys: revoke one first")
	case kind == audit.CredentialTrust && active >= maxTrustRules:
		return denied("The user has too many rules: remove one first")
	case kind == audit.CredentialWorkload && active >= maxAdmissions:
		return denied("Too many credentials of the user's rules work at once: try again later")
	case kind == audit.CredentialPasskey && active >= maxPasskeys:
		return denied("You have as many passkeys as there may be: remove one first")
	case kind == audit.CredentialDevice && active >= maxConfirmed:
		return denied("Too many logins were confirmed at once: try again in a few minutes")
	case kind == audit.CredentialGrant && active >= maxGrants:
		return denied("Too many may act for the user: withdraw a grant first")
	}
	return nil
}

// newAPIKey returns a key of a user with a new token.
func newAPIKey(
	user uuid.UUID, kind audit.CredentialKind, name KeyName,
) (APIKey, plaintext.Value, error) {
	id, err := newID()
	if err != nil {
		return APIKey{}, plaintext.Value{}, err
	}
	prefix := tokenPrefix
	switch kind {
	case audit.CredentialSession:
		prefix = sessionPrefix
	case audit.CredentialSignInLink:
		prefix = linkPrefix
	case audit.CredentialWorkload:
		prefix = workloadPrefix
	case audit.CredentialAPIKey, audit.CredentialTicket, audit.CredentialPlaceholder,
		audit.CredentialTrust, audit.CredentialSchedule, audit.CredentialDevice,
		audit.CredentialIdentity, audit.CredentialPasskey, audit.CredentialGrant: // not made here
	}
	token := newToken(prefix)
	hash, _ := hashToken(prefix, token)
	return APIKey{
		ID: id, Kind: kind, User: user, Hash: hash, Masked: catalog.Mask(token), Name: name.text,
	}, token, nil
}

// checkScopes returns the scopes that a new key gets: the wanted ones, of which its maker may lack
// none.
func checkScopes(wanted []string, held []policy.Scope) ([]policy.Scope, error) {
	scopes := []policy.Scope{}
	if wanted == nil {
		for _, scope := range policy.DefaultScopes() {
			if len(policy.Missing([]policy.Scope{scope}, held)) == 0 {
				scopes = append(scopes, scope)
			}
		}
		return scopes, nil
	}
	for _, name := range wanted {
		scope := policy.Scope(name)
		if !policy.Known(scope) {
			return nil, invalid(Field{"allowed_scopes", OneOf, "Unknown scope"})
		}
		if len(policy.Missing([]policy.Scope{scope}, scopes)) > 0 {
			scopes = append(scopes, scope)
		}
	}
	if len(policy.Missing(scopes, held)) > 0 {
		return nil, denied("An API key cannot give a scope that it lacks")
	}
	return scopes, nil
}
