package client

import (
	"context"
	"net/http"

	"github.com/keysake/keysake/wire"
)

// ProbeSecret has the server ask the provider of a secret whether its value works, once. It needs
// the scope leases:write. 404: the caller has no secret with this id. 502: the provider cannot be
// reached. 504: it does not answer in time.
func (c *Client) ProbeSecret(ctx context.Context, id string) (wire.SecretHealth, error) {
	path, err := pathOf(secrets, id)
	if err != nil {
		return wire.SecretHealth{}, err
	}
	return call[wire.SecretHealth](ctx, c, http.MethodPost, path+"/probe", nil)
}

// SecretHealth returns what the provider of a secret said last. It needs the scope secrets:read.
// 404: the caller has no secret with this id.
func (c *Client) SecretHealth(ctx context.Context, id string) (wire.SecretHealth, error) {
	path, err := pathOf(secrets, id)
	if err != nil {
		return wire.SecretHealth{}, err
	}
	return call[wire.SecretHealth](ctx, c, http.MethodGet, path+"/health", nil)
}

// SetSecretExpiry says when a secret expires, and how long before that you are reminded. It needs
// the scope secrets:write. 404: the caller has no secret with this id.
func (c *Client) SetSecretExpiry(
	ctx context.Context, id string, in wire.SecretExpiry,
) (wire.Expiry, error) {
	path, err := pathOf(secrets, id)
	if err != nil {
		return wire.Expiry{}, err
	}
	return call[wire.Expiry](ctx, c, http.MethodPut, path+"/expiry", in)
}

// ClearSecretExpiry says that a secret does not expire. It needs the scope secrets:write. 404: the
// caller has no secret with this id.
func (c *Client) ClearSecretExpiry(ctx context.Context, id string) error {
	path, err := pathOf(secrets, id)
	if err != nil {
		return err
	}
	return c.do(ctx, http.MethodDelete, path+"/expiry", nil, nil)
}

// GetWatch returns what the server does for your secrets without being asked. It needs the scope
// secrets:read.
func (c *Client) GetWatch(ctx context.Context) (wire.Watch, error) {
	return call[wire.Watch](ctx, c, http.MethodGet, "/user/watch", nil)
}

// SetWatch says what the server does for your secrets without being asked. It needs the scope
// leases:write: a probe uses the value.
func (c *Client) SetWatch(ctx context.Context, in wire.Watch) (wire.Watch, error) {
	return call[wire.Watch](ctx, c, http.MethodPut, "/user/watch", in)
}

// SecretHealths returns what the providers of the caller's secrets said last. It needs the scope
// secrets:read.
func (c *Client) SecretHealths(ctx context.Context) (wire.SecretHealthList, error) {
	return call[wire.SecretHealthList](ctx, c, http.MethodGet, secrets+"/health", nil)
}
