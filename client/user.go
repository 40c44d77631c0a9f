package client

import (
	"context"
	"net/http"

	"github.com/keysake/keysake/wire"
)

const users = "/admin/users"

// Health returns whether the server can do its work. It needs no API key.
func (c *Client) Health(ctx context.Context) (wire.Health, error) {
	return call[wire.Health](ctx, c, http.MethodGet, "/health", nil)
}

// WhoAmI returns the user of the API key. It needs no scope.
func (c *Client) WhoAmI(ctx context.Context) (wire.User, error) {
	return call[wire.User](ctx, c, http.MethodGet, "/user", nil)
}

// ConfirmRepair says that the caller's secrets are the caller's own, after the operator repaired
// what was stored of them. It needs the scope secrets:write.
func (c *Client) ConfirmRepair(ctx context.Context) error {
	return c.do(ctx, http.MethodPut, "/user/confirmed", nil, nil)
}

// CreateUser creates a user without an API key; [Client.CreateAPIKeyFor] creates the first. It
// needs the scope admin. 409: the name is in use.
func (c *Client) CreateUser(ctx context.Context, in wire.CreateUser) (wire.User, error) {
	return call[wire.User](ctx, c, http.MethodPost, users, in)
}

// ListUsers returns all users, ordered by name. It needs the scope admin.
func (c *Client) ListUsers(ctx context.Context) (wire.UserList, error) {
	return call[wire.UserList](ctx, c, http.MethodGet, users, nil)
}

// DeleteUser disables a user at once, and deletes the user with every value when the delay is over
// that the server's operator has set; [Client.KeepUser] calls that off until then. It needs the
// scope admin. 404: there is no such user.
func (c *Client) DeleteUser(ctx context.Context, id string) error {
	return c.deleteUser(ctx, id, "")
}

// DeleteUserNow is [Client.DeleteUser] without the delay: nothing can call it off.
func (c *Client) DeleteUserNow(ctx context.Context, id string) error {
	return c.deleteUser(ctx, id, "?now=true")
}

// KeepUser calls off a deletion that is not done yet. The user stays disabled. It needs the scope
// admin. 404: there is no such user.
func (c *Client) KeepUser(ctx context.Context, id string) error {
	return c.deleteUser(ctx, id, "/deletion")
}

func (c *Client) deleteUser(ctx context.Context, id, what string) error {
	path, err := pathOf(users, id)
	if err != nil {
		return err
	}
	return c.do(ctx, http.MethodDelete, path+what, nil, nil)
}

// DisableUser stops every API key of a user at once, and all that these made for others. It needs
// the scope admin. 404: there is no such user. 409: it is the caller.
func (c *Client) DisableUser(ctx context.Context, id string) error {
	return c.setDisabled(ctx, http.MethodPut, id)
}

// EnableUser lets the API keys of a user who was disabled work again. It needs the scope admin.
// 404: there is no such user.
func (c *Client) EnableUser(ctx context.Context, id string) error {
	return c.setDisabled(ctx, http.MethodDelete, id)
}

func (c *Client) setDisabled(ctx context.Context, method, id string) error {
	path, err := pathOf(users, id)
	if err != nil {
		return err
	}
	return c.do(ctx, method, path+"/disabled", nil, nil)
}

// LinkIdentity lets somebody sign in to the pages as a user, in place of who could before. It needs
// the scope admin, and ends with the caller's API key. 404: there is no such user. 409: the user is
// disabled, or somebody signs in with the identity as another user.
func (c *Client) LinkIdentity(
	ctx context.Context, userID string, in wire.Identity,
) (wire.Identity, error) {
	path, err := pathOf(users, userID)
	if err != nil {
		return wire.Identity{}, err
	}
	return call[wire.Identity](ctx, c, http.MethodPut, path+"/identity", in)
}

// UnlinkIdentity lets nobody sign in as a user any more, and ends what was made so. It needs the
// scope admin. 404: there is no such user.
func (c *Client) UnlinkIdentity(ctx context.Context, userID string) error {
	return c.deleteUser(ctx, userID, "/identity")
}
