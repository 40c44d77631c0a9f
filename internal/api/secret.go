package api

import (
	"net/http"

	"github.com/keysake/keysake/internal/vault"
	"github.com/keysake/keysake/wire"
)

// A createdSecret is a secret that was just made: its answer says where it is.
type createdSecret struct{ wire.Secret }

func (s createdSecret) location() string { return "/api/v1/user/secrets/" + s.ID }

func secretBody(s vault.Secret) wire.Secret {
	body := wire.Secret{
		ID: s.ID.String(), Name: s.Name, MaskedValue: s.Mask,
		CreatedAt: wire.At(s.CreatedAt), UpdatedAt: wire.At(s.UpdatedAt),
	}
	if s.Provider != "" {
		body.Provider = &s.Provider
	}
	return body
}

func createFromPreset(v *vault.Service) handler {
	return handleJSON(http.StatusCreated, parseFromPreset,
		func(r *request, in wire.CreateFromPreset) (createdSecret, error) {
			s, err := v.CreateFromPreset(r.Context(), r.actor, in.Provider, in.Value)
			return createdSecret{secretBody(s)}, err
		})
}

func parseFromPreset(in wire.CreateFromPreset) (wire.CreateFromPreset, error) {
	_, err := vault.NewValue(in.Value)
	return in, err
}

func createSecret(v *vault.Service) handler {
	return handleJSON(http.StatusCreated, parseSecret,
		func(r *request, in wire.CreateSecret) (createdSecret, error) {
			s, err := v.CreateSecret(
				r.Context(), r.actor, in.Name, valueOrZero(in.Provider), in.Value)
			return createdSecret{secretBody(s)}, err
		})
}

func parseSecret(in wire.CreateSecret) (wire.CreateSecret, error) {
	_, badName := vault.NewName(in.Name)
	_, badValue := vault.NewValue(in.Value)
	var badProvider error
	if in.Provider != nil {
		_, badProvider = vault.NewProvider(*in.Provider)
	}
	return in, vault.JoinInvalid(badName, badValue, badProvider)
}

func updateSecret(v *vault.Service) handler {
	return handleJSON(http.StatusOK, parseUpdate,
		func(r *request, in wire.UpdateSecret) (wire.Secret, error) {
			id, err := r.pathID("secret_id")
			if err != nil {
				return wire.Secret{}, err
			}
			s, err := v.UpdateSecret(r.Context(), r.actor, id, in.Value)
			return secretBody(s), err
		})
}

func parseUpdate(in wire.UpdateSecret) (wire.UpdateSecret, error) {
	_, err := vault.NewValue(in.Value)
	return in, err
}

func getSecret(v *vault.Service) handler {
	return handleGet(func(r *request) (wire.Secret, error) {
		id, err := r.pathID("secret_id")
		if err != nil {
			return wire.Secret{}, err
		}
		s, err := v.Secret(r.Context(), r.actor, id)
		return secretBody(s), err
	})
}

func deleteSecret(v *vault.Service) handler {
	return handleDelete(func(r *request) error {
		id, err := r.pathID("secret_id")
		if err != nil {
			return err
		}
		return v.DeleteSecret(r.Context(), r.actor, id)
	})
}

func listSecrets(v *vault.Service) handler {
	return handleGet(func(r *request) (wire.SecretList, error) {
		secrets, err := v.ListSecrets(r.Context(), r.actor)
		return wire.SecretList{Secrets: bodiesOf(secrets, secretBody), Total: len(secrets)}, err
	})
}

func listPresets(v *vault.Service) handler {
	return handleGet(func(r *request) (wire.PresetList, error) {
		presets, err := v.Presets(r.Context(), r.actor)
		return wire.PresetList{Presets: bodiesOf(presets, presetBody)}, err
	})
}

func presetBody(p vault.Preset) wire.Preset { return wire.Preset(p) }
