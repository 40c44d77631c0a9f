package client

import (
	"context"
	"net/http"

	"github.com/keysake/keysake/plaintext"
	"github.com/keysake/keysake/wire"
)

const device = "/auth/device"

// StartDeviceLogin asks for an API key that a user lets this program have, in a browser. It needs
// no API key. Show the user where and the user code, and call [Client.FetchDeviceLogin] until it
// has an answer.
func (c *Client) StartDeviceLogin(
	ctx context.Context, in wire.StartDeviceLogin,
) (wire.DeviceLogin, error) {
	return call[wire.DeviceLogin](ctx, c, http.MethodPost, device+"/code", in)
}

// FetchDeviceLogin returns the API key of a login that its user has confirmed, once. It needs no
// API key. 401: the user has not decided: ask again after RetryAfter. 404: it was refused or
// fetched, or has expired.
func (c *Client) FetchDeviceLogin(
	ctx context.Context, deviceCode plaintext.Value,
) (wire.DeviceToken, error) {
	in := wire.FetchDeviceLogin{DeviceCode: string(deviceCode.Reveal())}
	return call[wire.DeviceToken](ctx, c, http.MethodPost, device+"/token", in)
}
