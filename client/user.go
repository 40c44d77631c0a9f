package client

import (
	"context"
	"net/http"

	"github.com/keysake/keysake/wire"
)

const users = "/admin/users"

// Health asks whether the server is there. It needs no API key.
func (c *Client) Health(ctx context.Context) (wire.Health, error) {
	return answer[wire.Health](ctx, c, http.MethodGet, "/health", nil)
}

// WhoAmI returns the user whose API key this is. It needs no scope.
func (c *Client) WhoAmI(ctx context.Context) (wire.User, error) {
	return answer[wire.User](ctx, c, http.MethodGet, "/user", nil)
}

// CreateUser makes an account without any API key; [Client.CreateAPIKeyFor] makes its first. It
// needs the scope admin, and is refused with 409 where the user name is taken.
func (c *Client) CreateUser(ctx context.Context, in wire.CreateUser) (wire.User, error) {
	return answer[wire.User](ctx, c, http.MethodPost, users, in)
}

// ListUsers returns all accounts, ordered by user name. It needs the scope admin.
func (c *Client) ListUsers(ctx context.Context) (wire.UserList, error) {
	return answer[wire.UserList](ctx, c, http.MethodGet, users, nil)
}

// DeleteUser deletes an account and destroys every value it owns, for good. It needs the scope
// admin, and is refused with 404 if there is no such user.
func (c *Client) DeleteUser(ctx context.Context, id string) error {
	path, err := pathOf(users, id)
	if err != nil {
		return err
	}
	return c.do(ctx, http.MethodDelete, path, nil, nil)
}
