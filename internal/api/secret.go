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
		func(r *request, in vault.FromPreset) (createdSecret, error) {
			s, err := v.CreateFromPreset(r.Context(), r.actor, in)
			return createdSecret{secretBody(s)}, err
		})
}

func parseFromPreset(in wire.CreateFromPreset) (vault.FromPreset, error) {
	value, err := vault.NewValue(in.Value)
	return vault.FromPreset{Provider: in.Provider, Value: value}, err
}

func createSecret(v *vault.Service) handler {
	return handleJSON(http.StatusCreated, parseSecret,
		func(r *request, in vault.SecretRequest) (createdSecret, error) {
			s, err := v.CreateSecret(r.Context(), r.actor, in)
			return createdSecret{secretBody(s)}, err
		})
}

func parseSecret(in wire.CreateSecret) (vault.SecretRequest, error) {
	name, badName := vault.NewName(in.Name)
	value, badValue := vault.NewValue(in.Value)
	var provider string
	var badProvider error
	if in.Provider != nil {
		provider, badProvider = vault.NewProvider(*in.Provider)
	}
	return vault.SecretRequest{Name: name, Provider: provider, Value: value},
		vault.JoinInvalid(badName, badValue, badProvider)
}

func updateSecret(v *vault.Service) handler {
	return handleJSON(http.StatusOK, parseUpdate,
		func(r *request, value vault.Value) (wire.Secret, error) {
			id, err := r.pathID("secret_id")
			if err != nil {
				return wire.Secret{}, err
			}
			s, err := v.UpdateSecret(r.Context(), r.actor, id, value)
			return secretBody(s), err
		})
}

func parseUpdate(in wire.UpdateSecret) (vault.Value, error) {
	return vault.NewValue(in.Value)
}

func getSecret(v *vault.Service) handler {
	return handleGet(func(r *request) (wire.Secret, error) {
		id, err := r.pathID("secret_id")
		if err != nil {
			return wire.Secret{}, err
		}
		s, err := v.GetSecret(r.Context(), r.actor, id)
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
		presets, err := v.ListPresets(r.Context(), r.actor)
		return wire.PresetList{Presets: bodiesOf(presets, presetBody)}, err
	})
}

func presetBody(p vault.Preset) wire.Preset { return wire.Preset(p) }
