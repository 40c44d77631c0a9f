package client

import (
	"context"
	"net/http"

	"github.com/keysake/keysake/wire"
)

const apiKeys = "/user/api-keys"

// CreateAPIKey makes another API key for the caller. The key itself is in this answer and in no
// later one. It needs the scope keys:write, and is refused with 403 for a scope that the calling
// key lacks.
func (c *Client) CreateAPIKey(ctx context.Context, in wire.CreateAPIKey) (wire.APIKey, error) {
	return answer[wire.APIKey](ctx, c, http.MethodPost, apiKeys, in)
}

// CreateAPIKeyFor makes an API key for another user. It needs the scope admin; else as
// [Client.CreateAPIKey].
func (c *Client) CreateAPIKeyFor(
	ctx context.Context,
	userID string,
	in wire.CreateAPIKey,
) (wire.APIKey, error) {
	path, err := pathOf(users, userID)
	if err != nil {
		return wire.APIKey{}, err
	}
	return answer[wire.APIKey](ctx, c, http.MethodPost, path+"/api-keys", in)
}

// ListAPIKeys returns the caller's API keys, newest first, each by its mask. It needs the scope
// keys:write.
func (c *Client) ListAPIKeys(ctx context.Context) (wire.APIKeyList, error) {
	return answer[wire.APIKeyList](ctx, c, http.MethodGet, apiKeys, nil)
}

// RevokeAPIKey ends an API key of the caller at once. It needs the scope keys:write, and is refused
// with 404 if the caller has none with this id.
func (c *Client) RevokeAPIKey(ctx context.Context, id string) error {
	path, err := pathOf(apiKeys, id)
	if err != nil {
		return err
	}
	return c.do(ctx, http.MethodDelete, path, nil, nil)
}

// RevokeSelf ends the API key that this client presents. It is refused with 403 unless the key was
// made with allow_self_revoke.
func (c *Client) RevokeSelf(ctx context.Context) error {
	return c.do(ctx, http.MethodDelete, apiKeys+"/self", nil, nil)
}
