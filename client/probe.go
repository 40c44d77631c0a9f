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

// SecretHealths returns what the providers of the caller's secrets said last. It needs the scope
// secrets:read.
func (c *Client) SecretHealths(ctx context.Context) (wire.SecretHealthList, error) {
	return call[wire.SecretHealthList](ctx, c, http.MethodGet, secrets+"/health", nil)
}
