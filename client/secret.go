package client

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"unicode/utf8"

	"github.com/keysake/keysake/plaintext"
	"github.com/keysake/keysake/wire"
)

// ErrNotUTF8 reports a value that JSON would change.
var ErrNotUTF8 = errors.New("client: the value is not valid UTF-8")

// opened is a value in a request's body. It is the only type of this package that reveals its
// content, and only to encoding/json.
type opened struct{ plaintext.Value }

// MarshalJSON writes the value itself, or fails with [ErrNotUTF8].
func (v opened) MarshalJSON() ([]byte, error) {
	b := v.Reveal()
	if !utf8.Valid(b) {
		return nil, ErrNotUTF8
	}
	return json.Marshal(string(b))
}

const secrets = "/user/secrets"

// ListSecrets returns the caller's secrets, ordered by name. It needs the scope secrets:read.
func (c *Client) ListSecrets(ctx context.Context) (wire.SecretList, error) {
	return call[wire.SecretList](ctx, c, http.MethodGet, secrets, nil)
}

// ListPresets returns the providers from which a secret can be created. It needs the scope
// secrets:read.
func (c *Client) ListPresets(ctx context.Context) (wire.PresetList, error) {
	return call[wire.PresetList](ctx, c, http.MethodGet, secrets+"/presets", nil)
}

// createSecret is a [wire.CreateSecret] that shows its value.
type createSecret struct {
	Name     string  `json:"name"`
	Value    opened  `json:"value"`
	Provider *string `json:"provider,omitempty"`
}

// CreateSecret creates a secret with the given name. It needs the scope secrets:write. 403: the
// caller has as many secrets as the server allows. 409: the name is in use.
func (c *Client) CreateSecret(ctx context.Context, in wire.CreateSecret) (wire.Secret, error) {
	body := createSecret{in.Name, opened{in.Value}, in.Provider}
	return call[wire.Secret](ctx, c, http.MethodPost, secrets, body)
}

// CreateFromPreset creates a secret with the name in its provider's preset. It needs the scope
// secrets:write. 403: the caller has as many secrets as the server allows. 409: the name is in use.
func (c *Client) CreateFromPreset(
	ctx context.Context, in wire.CreateFromPreset,
) (wire.Secret, error) {
	body := struct {
		Provider string `json:"provider"`
		Value    opened `json:"value"`
	}{in.Provider, opened{in.Value}}
	return call[wire.Secret](ctx, c, http.MethodPost, secrets+"/preset", body)
}

// GetSecret returns one secret. It needs the scope secrets:read. 404: the caller has no secret with
// this id.
func (c *Client) GetSecret(ctx context.Context, id string) (wire.Secret, error) {
	path, err := pathOf(secrets, id)
	if err != nil {
		return wire.Secret{}, err
	}
	return call[wire.Secret](ctx, c, http.MethodGet, path, nil)
}

// UpdateSecret gives a secret a new value. It needs the scope secrets:write. 404: the caller has no
// secret with this id.
func (c *Client) UpdateSecret(
	ctx context.Context, id string, in wire.UpdateSecret,
) (wire.Secret, error) {
	path, err := pathOf(secrets, id)
	if err != nil {
		return wire.Secret{}, err
	}
	body := struct {
		Value opened `json:"value"`
	}{opened{in.Value}}
	return call[wire.Secret](ctx, c, http.MethodPut, path, body)
}

// RenameSecret gives a secret another name; its old versions keep the one that they had. It needs
// the scope secrets:write. 404: the caller has no secret with this id. 409: the name is in use.
func (c *Client) RenameSecret(
	ctx context.Context, id string, in wire.RenameSecret,
) (wire.Secret, error) {
	path, err := pathOf(secrets, id)
	if err != nil {
		return wire.Secret{}, err
	}
	return call[wire.Secret](ctx, c, http.MethodPost, path+"/rename", in)
}

// ImportSecrets stores several secrets, all of them or none, and returns them in the same order. It
// needs the scope secrets:write. 409: names are in use, and none is to be replaced. 403: they do
// not all fit into the quota.
func (c *Client) ImportSecrets(
	ctx context.Context, in wire.ImportSecrets,
) (wire.SecretList, error) {
	type body struct {
		Secrets []createSecret `json:"secrets"`
		Replace *bool          `json:"replace,omitempty"`
	}
	out := body{Replace: in.Replace}
	for _, s := range in.Secrets {
		out.Secrets = append(out.Secrets, createSecret{s.Name, opened{s.Value}, s.Provider})
	}
	return call[wire.SecretList](ctx, c, http.MethodPost, secrets+"/import", out)
}

// DeleteSecret deletes a secret and all its values. It needs the scope secrets:write. 404: the
// caller has no secret with this id.
func (c *Client) DeleteSecret(ctx context.Context, id string) error {
	path, err := pathOf(secrets, id)
	if err != nil {
		return err
	}
	return c.do(ctx, http.MethodDelete, path, nil, nil)
}

// ListVersions returns the versions of a secret that the server keeps, newest first; the newest is
// current. It needs the scope secrets:read. 404: the caller has no secret with this id.
func (c *Client) ListVersions(ctx context.Context, id string) (wire.VersionList, error) {
	path, err := pathOf(secrets, id)
	if err != nil {
		return wire.VersionList{}, err
	}
	return call[wire.VersionList](ctx, c, http.MethodGet, path+"/versions", nil)
}

// RollbackSecret makes the value of an older version current again, as a new version. It needs the
// scope secrets:write. 404: the caller has no secret with this id. 422: that version is not kept.
func (c *Client) RollbackSecret(
	ctx context.Context, id string, in wire.RollbackSecret,
) (wire.Secret, error) {
	path, err := pathOf(secrets, id)
	if err != nil {
		return wire.Secret{}, err
	}
	return call[wire.Secret](ctx, c, http.MethodPost, path+"/rollback", in)
}
