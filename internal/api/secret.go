package api

import (
	"context"
	"net/http"

	"github.com/keysake/keysake/internal/vault"
	"github.com/keysake/keysake/wire"
)

// createdSecret is a secret that was just made: its answer says where it is.
type createdSecret struct{ wire.Secret }

func (s createdSecret) location() string { return "/api/v1/user/secrets/" + s.ID }

func secretBody(s vault.Secret) wire.Secret {
	body := wire.Secret{
		ID:          s.ID.String(),
		Name:        s.Name,
		MaskedValue: s.Mask,
		CreatedAt:   wire.At(s.CreatedAt),
		UpdatedAt:   wire.At(s.UpdatedAt),
	}
	if s.Provider != "" {
		body.Provider = &s.Provider
	}
	return body
}

func createFromPreset(v *vault.Service) handler {
	return take(
		http.StatusCreated,
		func(ctx context.Context, who vault.Actor, _ *http.Request, in wire.CreateFromPreset) (
			createdSecret, error,
		) {
			s, err := v.CreateFromPreset(ctx, who, in.Provider, in.Value)
			return createdSecret{secretBody(s)}, err
		},
	)
}

func createSecret(v *vault.Service) handler {
	return take(
		http.StatusCreated,
		func(ctx context.Context, who vault.Actor, _ *http.Request, in wire.CreateSecret) (
			createdSecret, error,
		) {
			s, err := v.CreateSecret(ctx, who, in.Name, orZero(in.Provider), in.Value)
			return createdSecret{secretBody(s)}, err
		},
	)
}

func updateSecret(v *vault.Service) handler {
	return take(
		http.StatusOK,
		func(ctx context.Context, who vault.Actor, r *http.Request, in wire.UpdateSecret) (wire.Secret, error) {
			id, err := pathID(r, "secret_id")
			if err != nil {
				return wire.Secret{}, err
			}
			s, err := v.UpdateSecret(ctx, who, id, in.Value)
			return secretBody(s), err
		},
	)
}

func getSecret(v *vault.Service) handler {
	return give(func(ctx context.Context, who vault.Actor, r *http.Request) (wire.Secret, error) {
		id, err := pathID(r, "secret_id")
		if err != nil {
			return wire.Secret{}, err
		}
		s, err := v.Secret(ctx, who, id)
		return secretBody(s), err
	})
}

func deleteSecret(v *vault.Service) handler {
	return end(func(ctx context.Context, who vault.Actor, r *http.Request) error {
		id, err := pathID(r, "secret_id")
		if err != nil {
			return err
		}
		return v.DeleteSecret(ctx, who, id)
	})
}

func listSecrets(v *vault.Service) handler {
	return give(
		func(ctx context.Context, who vault.Actor, _ *http.Request) (wire.SecretList, error) {
			secrets, err := v.ListSecrets(ctx, who)
			list := wire.SecretList{Secrets: make([]wire.Secret, len(secrets)), Total: len(secrets)}
			for i, s := range secrets {
				list.Secrets[i] = secretBody(s)
			}
			return list, err
		},
	)
}

func listPresets(v *vault.Service) handler {
	return give(
		func(ctx context.Context, who vault.Actor, _ *http.Request) (wire.PresetList, error) {
			presets, err := v.Presets(ctx, who)
			list := wire.PresetList{Presets: make([]wire.Preset, len(presets))}
			for i, p := range presets {
				list.Presets[i] = wire.Preset(p)
			}
			return list, err
		},
	)
}
