package vault

import (
	"context"
	"slices"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/policy"
)

// RevokeAPIKey ends one of the caller's API keys, and with it all that it made, or a credential
// that a rule gave. It needs the scope keys:write. NotFound: there is none of that id, it is
// another user's, or it is already revoked. Denied: the key has a scope that the caller's own
// lacks, or the caller's own key would end with it and may not revoke itself.
func (s *Service) RevokeAPIKey(ctx context.Context, who Actor, id uuid.UUID) error {
	return s.revoke(ctx, who, policy.APIKeyRevoke, id)
}

// RevokeAPIKeyOnly is RevokeAPIKey for a key that is replaced: those that it made go on as if its
// own maker had made them, so that no expiry and no scope grows. Denied, too: the caller's key is
// that key, or was made through it. A key that could leave its line could not be revoked by it.
func (s *Service) RevokeAPIKeyOnly(ctx context.Context, who Actor, id uuid.UUID) error {
	return s.revoke(ctx, who, policy.APIKeyRevokeOnly, id)
}

// RevokeSelf ends the API key, or the session, that calls. Denied: it may not revoke itself.
func (s *Service) RevokeSelf(ctx context.Context, who Actor) error {
	return s.revoke(ctx, who, policy.APIKeyRevokeSelf, who.Credential.ID)
}

func (s *Service) revoke(ctx context.Context, who Actor, action policy.Action, id uuid.UUID) error {
	in := inOwnLibrary(who, action)
	return s.update(ctx, in, func(c *change) error {
		key, err := c.apiKey(ctx, id)
		if err != nil {
			return err
		}
		if err := c.checkRevoke(ctx, in, key); err != nil {
			return err
		}
		c.record(key.target())
		if action == policy.APIKeyRevokeOnly {
			if err := c.moveChildren(ctx, key, key.Parent); err != nil {
				return err
			}
		}
		_, err = c.endWithLeases(ctx, key)
		return err
	})
}

// endWithLeases ends a key, and with a grant the open leases that were asked for by it. It returns
// how many leases those are.
func (c *change) endWithLeases(ctx context.Context, k APIKey) (leases int, err error) {
	if k.Kind == audit.CredentialGrant {
		if leases, err = c.endLeasesBy(ctx, k.ID); err != nil {
			return 0, err
		}
	}
	return leases, c.endAPIKey(ctx, k)
}

// checkRevoke refuses what a caller may not do to a key that is the caller's user's.
func (c *change) checkRevoke(ctx context.Context, in intent, key APIKey) error {
	if !key.RevokedAt.IsZero() || !slices.Contains(revokedBy(key.Kind), in.action) {
		return ErrNotFound
	}
	if len(policy.Missing(key.Scopes, in.who.Scopes)) > 0 {
		return denied("An API key can only revoke one whose scopes it has")
	}
	own, err := c.callersKey(ctx, in.who)
	if err != nil || !slices.ContainsFunc(own.keys, func(k APIKey) bool { return k.ID == key.ID }) {
		return err
	}
	switch {
	case in.action == policy.APIKeyRevokeOnly:
		return denied("An API key cannot leave its own line: use one that this key did not create")
	case !in.who.SelfRevoke:
		return denied("This API key would end too, and may not revoke itself: use another")
	}
	return nil
}

// revokedBy returns the actions that end a key of a kind. For others it is not there.
func revokedBy(kind audit.CredentialKind) []policy.Action {
	switch kind {
	case audit.CredentialSession, audit.CredentialSignInLink:
		return []policy.Action{policy.SessionEnd, policy.APIKeyRevokeSelf}
	case audit.CredentialTrust:
		return []policy.Action{policy.TrustRemove}
	case audit.CredentialWorkload:
		return []policy.Action{policy.APIKeyRevoke, policy.APIKeyRevokeSelf}
	case audit.CredentialPasskey:
		return []policy.Action{policy.PasskeyRemove}
	case audit.CredentialGrant:
		return []policy.Action{policy.GrantRemove}
	case audit.CredentialDevice, audit.CredentialIdentity:
		return nil
	case audit.CredentialAPIKey, audit.CredentialTicket, audit.CredentialPlaceholder,
		audit.CredentialSchedule:
	}
	return []policy.Action{
		policy.APIKeyRevoke, policy.APIKeyRevokeOnly, policy.APIKeyRevokeSelf,
	}
}

// moveChildren makes the keys that one key made those of another.
func (c *change) moveChildren(ctx context.Context, key APIKey, to uuid.UUID) error {
	children, err := c.rows.APIKeysBelow(ctx, key.ID)
	if err != nil {
		return err
	}
	for _, child := range children {
		p, err := c.also(ctx, userLibrary(child.User))
		if err != nil {
			return err
		}
		if err := p.checkAPIKey(child); err != nil {
			return err
		}
		p.ledger.APIKeys.Remove(p.apiKeyEntry(child))
		child.Parent = to
		p.ledger.APIKeys.Add(p.apiKeyEntry(child))
		if err := c.tx.SetAPIKeyParent(ctx, child.User, child.ID, child.Parent); err != nil {
			return err
		}
	}
	return nil
}
