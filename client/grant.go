package client

import (
	"context"
	"net/http"

	"github.com/keysake/keysake/wire"
)

const grants = "/user/grants"

// CreateUserGrant lets another user act for the caller. It needs the scope keys:write. 403: the
// caller's key lacks one of the scopes. 404: there is no such user, or none who may act for others.
// 409: that user has a grant already.
func (c *Client) CreateUserGrant(
	ctx context.Context, in wire.CreateUserGrant,
) (wire.UserGrant, error) {
	return call[wire.UserGrant](ctx, c, http.MethodPost, grants, in)
}

// ListUserGrants returns who may act for the caller, newest first. It needs the scope keys:write.
func (c *Client) ListUserGrants(ctx context.Context) (wire.UserGrantList, error) {
	return call[wire.UserGrantList](ctx, c, http.MethodGet, grants, nil)
}

// RemoveUserGrant withdraws a grant of the caller, and ends the leases that were asked for by it.
// It needs the scope keys:write. 404: the caller has no grant with this id.
func (c *Client) RemoveUserGrant(ctx context.Context, id string) error {
	path, err := pathOf(grants, id)
	if err != nil {
		return err
	}
	return c.do(ctx, http.MethodDelete, path, nil, nil)
}
