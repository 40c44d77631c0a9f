package vault

import (
	"context"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/policy"
)

// RevokeAPIKey ends one of the caller's API keys. It needs the scope keys:write. NotFound: there is
// none of that id, it is another user's, or it is already revoked.
func (s *Service) RevokeAPIKey(ctx context.Context, who Actor, id uuid.UUID) error {
	return s.revoke(ctx, who, policy.APIKeyRevoke, id)
}

// RevokeSelf ends the API key that calls. Denied: it may not revoke itself.
func (s *Service) RevokeSelf(ctx context.Context, who Actor) error {
	if !who.SelfRevoke {
		return s.refuse(ctx, who, policy.APIKeyRevokeSelf,
			denied("This API key may not revoke itself"))
	}
	return s.revoke(ctx, who, policy.APIKeyRevokeSelf, who.Credential.ID)
}

func (s *Service) revoke(ctx context.Context, who Actor, action policy.Action, id uuid.UUID) error {
	in := inOwnLibrary(who, action)
	return s.update(ctx, in, func(c *change) error {
		name, err := c.RevokeAPIKey(ctx, who.Owner(), id, c.at)
		c.record(APIKey{ID: id, Name: name}.target())
		return err
	})
}
