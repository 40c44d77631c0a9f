package vault

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/policy"
)

// An APIKey is what a person or program presents to Keysake. Its token is not in it. Sessions of
// the pages and the links that open them, rules of trust and the credentials that these give,
// confirmed logins of programs, passkeys, who signs in at a provider, and grants to other users are
// stored, listed and ended as API keys are, under their own kinds: the token of one kind is none of
// another.
type APIKey struct {
	ID         uuid.UUID
	Kind       audit.CredentialKind // empty for an API key
	User       uuid.UUID
	Parent     uuid.UUID // the key that made it; nil for one that the operator made
	Hash       TokenHash
	Masked     string
	Name       string // empty where none was given
	Scopes     []policy.Scope
	SelfRevoke bool
	Suspended  bool // it does not work until an operator lifts that
	// TermsJSON are those of a rule, a credential that one gave, an identity, a passkey or a grant.
	TermsJSON string
	// Presented tells for which token a credential was given, whose an identity is, which passkey
	// it is, and by which sign-in at a provider or with a passkey a session was opened. Otherwise
	// it is empty.
	Presented  []byte
	CreatedAt  time.Time
	ExpiresAt  time.Time // zero for one that does not expire
	RevokedAt  time.Time // zero for one that was not revoked
	LastUsedAt time.Time // zero before the first use
	Active     bool      // it and every key above it works: see [page.line]
	Ledger     uint64    // the number of its user's ledger: see [Reader.ListedAPIKeys]
}

func (k APIKey) target() audit.Target {
	kind := audit.TargetAPIKey
	switch k.Kind {
	case audit.CredentialSession:
		kind = audit.TargetSession
	case audit.CredentialSignInLink:
		kind = audit.TargetSignInLink
	case audit.CredentialTrust:
		kind = audit.TargetTrust
	case audit.CredentialWorkload:
		kind = audit.TargetWorkload
	case audit.CredentialDevice:
		kind = audit.TargetDevice
	case audit.CredentialIdentity:
		kind = audit.TargetIdentity
	case audit.CredentialPasskey:
		kind = audit.TargetPasskey
	case audit.CredentialGrant:
		kind = audit.TargetGrant
	case audit.CredentialAPIKey, audit.CredentialTicket, audit.CredentialPlaceholder,
		audit.CredentialSchedule:
	}
	return audit.Target{Kind: kind, ID: k.ID, Name: k.Name}
}

// anyGives reports whether an API key among these works and has a scope.
func anyGives(keys []APIKey, scope policy.Scope) bool {
	return slices.ContainsFunc(keys, func(k APIKey) bool {
		return k.Kind == "" && k.Active && slices.Contains(k.Scopes, scope)
	})
}

// actor returns who presents the key.
func (k APIKey) actor() Actor {
	kind := cmp.Or(k.Kind, audit.CredentialAPIKey)
	return Actor{
		User:       k.User,
		Credential: audit.Credential{Kind: kind, ID: k.ID},
		Scopes:     k.Scopes,
		SelfRevoke: k.SelfRevoke,
		KeyName:    k.Name,
		ExpiresAt:  k.ExpiresAt,
	}
}

// A user has at most maxActiveKeys active API keys, and of the others the newest maxInactiveKeys
// stay listed: a list needs no pages. Of removed rules as many stay.
const (
	maxActiveKeys   = 200
	maxInactiveKeys = 200
)

// maxLine is how many keys there are from the operator's to one that it leads to: authentication
// climbs them all.
const maxLine = 10

type apiKeyReader interface {
	// APIKeyByHash returns the key of a token. NotFound: there is none.
	APIKeyByHash(ctx context.Context, hash TokenHash) (APIKey, error)
	// APIKeyByPresented returns the key that has this in Presented. NotFound: there is none.
	APIKeyByPresented(ctx context.Context, presented []byte) (APIKey, error)
	// APIKeyByID returns a key of any user. NotFound: there is none.
	APIKeyByID(ctx context.Context, id uuid.UUID) (APIKey, error)
	// ListedAPIKeys returns keys of any users, without those that are not there. Each has the
	// number of its user's ledger, as of the same moment.
	ListedAPIKeys(ctx context.Context, ids []uuid.UUID) ([]APIKey, error)
	// APIKeys returns a user's keys, newest first.
	APIKeys(ctx context.Context, user uuid.UUID) ([]APIKey, error)
	// ReadableAPIKeys is APIKeys without rows that cannot be read, and how many those are.
	ReadableAPIKeys(ctx context.Context, user uuid.UUID) (keys []APIKey, damaged int, err error)
	// APIKeysBelow returns the keys that one key made, of all users.
	APIKeysBelow(ctx context.Context, parent uuid.UUID) ([]APIKey, error)
	// APIKeyUsed returns when a key was used last; the zero time for never.
	APIKeyUsed(ctx context.Context, id uuid.UUID) (time.Time, error)
	// APIKeysByAge returns API keys of all users that were not revoked, oldest first, some at once:
	// those that are newer than one and older than another. nil stands for any.
	APIKeysByAge(ctx context.Context, after, before uuid.UUID, limit int) ([]APIKey, error)
	// AdminAPIKeys returns the API keys with the scope admin, of all users.
	AdminAPIKeys(ctx context.Context) ([]APIKey, error)
}

type apiKeyWriter interface {
	InsertAPIKey(ctx context.Context, k APIKey) error
	// RevokeAPIKey stores when a user's key was revoked.
	RevokeAPIKey(ctx context.Context, user, id uuid.UUID, at time.Time) error
	// SuspendAPIKey makes a user's key not work any more.
	SuspendAPIKey(ctx context.Context, user, id uuid.UUID) error
	// SetAPIKeyParent stores which key made a user's key.
	SetAPIKeyParent(ctx context.Context, user, id, parent uuid.UUID) error
	// SetAPIKeyTerms stores the terms of a user's key.
	SetAPIKeyTerms(ctx context.Context, user, id uuid.UUID, terms string) error
	// TouchAPIKey stores the last use. A key that is gone is no error.
	TouchAPIKey(ctx context.Context, id uuid.UUID, at time.Time) error
	// DeleteAPIKey removes a user's key.
	DeleteAPIKey(ctx context.Context, user, id uuid.UUID) error
	// DeleteAPIKeys removes all keys of a user.
	DeleteAPIKeys(ctx context.Context, user uuid.UUID) error
}

// ListAPIKeys returns the caller's API keys, newest first. It needs the scope keys:write. Parent is
// nil for a key that was made by another user's.
func (s *Service) ListAPIKeys(ctx context.Context, who Actor) (keys []APIKey, err error) {
	err = s.view(ctx, who, policy.APIKeyList, func(p *page) error {
		keys, err = p.apiKeys(ctx, s.now())
		keys = slices.DeleteFunc(keys, func(k APIKey) bool { return k.Kind != "" })
		return err
	})
	own := map[uuid.UUID]bool{}
	for _, k := range keys {
		own[k.ID] = true
	}
	for i := range keys {
		keys[i].LastUsedAt = s.used.latest(keys[i].ID, keys[i].LastUsedAt)
		if !own[keys[i].Parent] {
			keys[i].Parent = uuid.Nil
		}
	}
	return keys, err
}
