package api

import (
	"context"
	"net/http"
	"time"

	"github.com/keysake/keysake/internal/vault"
	"github.com/keysake/keysake/plaintext"
	"github.com/keysake/keysake/wire"
)

func apiKeyBody(k vault.APIKey, now time.Time) wire.APIKey {
	body := wire.APIKey{
		ID:            k.ID.String(),
		MaskedKey:     k.Masked,
		Active:        k.Live(now),
		Name:          k.Name,
		AllowedScopes: make([]string, len(k.Scopes)),
		CreatedAt: wire.At(
			k.CreatedAt,
		),
		LastUsedAt: wire.AtOrNull(k.LastUsedAt),
		ExpiresAt:  wire.AtOrNull(k.ExpiresAt),
	}
	for i, scope := range k.Scopes {
		body.AllowedScopes[i] = string(scope)
	}
	return body
}

// newAPIKeyBody is the one answer that has the token.
func newAPIKeyBody(k vault.APIKey, token plaintext.Value) wire.APIKey {
	body := apiKeyBody(k, k.CreatedAt)
	body.Key = string(token.Reveal())
	return body
}

func apiKeyRequest(in wire.CreateAPIKey) vault.APIKeyRequest {
	return vault.APIKeyRequest{
		Name: orZero(
			in.Name,
		),
		SelfRevoke: orZero(in.AllowSelfRevoke),
		Scopes:     orZero(in.AllowedScopes),
		ExpiresAt:  orZero(in.ExpiresAt).Time,
	}
}

func createAPIKey(v *vault.Service) handler {
	return take(
		http.StatusCreated,
		func(ctx context.Context, who vault.Actor, _ *http.Request, in wire.CreateAPIKey) (wire.APIKey, error) {
			k, token, err := v.CreateAPIKey(ctx, who, apiKeyRequest(in))
			return newAPIKeyBody(k, token), err
		},
	)
}

func grantAPIKey(v *vault.Service) handler {
	return take(
		http.StatusCreated,
		func(ctx context.Context, who vault.Actor, r *http.Request, in wire.CreateAPIKey) (wire.APIKey, error) {
			id, err := pathID(r, "id")
			if err != nil {
				return wire.APIKey{}, err
			}
			k, token, err := v.GrantAPIKey(ctx, who, id, apiKeyRequest(in))
			return newAPIKeyBody(k, token), err
		},
	)
}

func listAPIKeys(v *vault.Service) handler {
	return give(
		func(ctx context.Context, who vault.Actor, _ *http.Request) (wire.APIKeyList, error) {
			keys, err := v.ListAPIKeys(ctx, who)
			list := wire.APIKeyList{APIKeys: make([]wire.APIKey, len(keys)), Total: len(keys)}
			for i, k := range keys {
				list.APIKeys[i] = apiKeyBody(k, time.Now())
			}
			return list, err
		},
	)
}

func revokeAPIKey(v *vault.Service) handler {
	return end(func(ctx context.Context, who vault.Actor, r *http.Request) error {
		id, err := pathID(r, "id")
		if err != nil {
			return err
		}
		return v.RevokeAPIKey(ctx, who, id)
	})
}

func revokeSelf(v *vault.Service) handler {
	return end(
		func(ctx context.Context, who vault.Actor, _ *http.Request) error {
			return v.RevokeSelf(ctx, who)
		},
	)
}
