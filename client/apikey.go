package client

import (
	"context"
	"net/http"

	"github.com/keysake/keysake/wire"
)

const apiKeys = "/user/api-keys"

// CreateAPIKey creates an API key for the caller. No later response contains the key itself. It
// needs the scope keys:write. The new key ends with the caller's, at the latest. 403: the caller's
// key lacks one of the scopes, or expires earlier.
func (c *Client) CreateAPIKey(ctx context.Context, in wire.CreateAPIKey) (wire.APIKey, error) {
	return call[wire.APIKey](ctx, c, http.MethodPost, apiKeys, in)
}

// CreateAPIKeyFor creates an API key for another user, like [Client.CreateAPIKey]. It needs the
// scope admin. 404: there is no such user.
func (c *Client) CreateAPIKeyFor(
	ctx context.Context, userID string, in wire.CreateAPIKey,
) (wire.APIKey, error) {
	path, err := pathOf(users, userID)
	if err != nil {
		return wire.APIKey{}, err
	}
	return call[wire.APIKey](ctx, c, http.MethodPost, path+"/api-keys", in)
}

// CreateSignInLink makes a link that signs a user in to the pages of the server, once, within 15
// minutes. It needs the scope admin. 404: there is no such user.
func (c *Client) CreateSignInLink(ctx context.Context, userID string) (wire.SignInLink, error) {
	path, err := pathOf(users, userID)
	if err != nil {
		return wire.SignInLink{}, err
	}
	return call[wire.SignInLink](ctx, c, http.MethodPost, path+"/sign-in-links", nil)
}

// CreateOwnSignInLink makes a link that signs the caller in to the pages of the server, once,
// within 15 minutes. It needs the scope keys:write.
func (c *Client) CreateOwnSignInLink(ctx context.Context) (wire.SignInLink, error) {
	return call[wire.SignInLink](ctx, c, http.MethodPost, "/user/sign-in-links", nil)
}

// ListAPIKeys returns the caller's API keys, newest first, each by its mask. It needs the scope
// keys:write.
func (c *Client) ListAPIKeys(ctx context.Context) (wire.APIKeyList, error) {
	return call[wire.APIKeyList](ctx, c, http.MethodGet, apiKeys, nil)
}

// RevokeAPIKey revokes an API key of the caller at once, and every key that it made. It needs the
// scope keys:write. 403: the key has a scope that the caller's lacks, or the caller's would end
// with it and may not revoke itself. 404: the caller has no key with this id.
func (c *Client) RevokeAPIKey(ctx context.Context, id string) error {
	return c.revoke(ctx, id, "")
}

// RevokeAPIKeyOnly is RevokeAPIKey for a key that is replaced: those that it made keep working. Do
// not use it for a key that may have leaked. 403, too: the caller's key was made through that one.
func (c *Client) RevokeAPIKeyOnly(ctx context.Context, id string) error {
	return c.revoke(ctx, id, "?keep_children=true")
}

func (c *Client) revoke(ctx context.Context, id, query string) error {
	path, err := pathOf(apiKeys, id)
	if err != nil {
		return err
	}
	return c.do(ctx, http.MethodDelete, path+query, nil, nil)
}

// RevokeSelf revokes the API key that this client presents. 403: the key was not created with
// allow_self_revoke.
func (c *Client) RevokeSelf(ctx context.Context) error {
	return c.do(ctx, http.MethodDelete, apiKeys+"/self", nil, nil)
}
