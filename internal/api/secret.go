package api

import (
	"net/http"

	"github.com/keysake/keysake/internal/vault"
	"github.com/keysake/keysake/wire"
)

// A shownSecret is a secret as it is now: its answer says where it is if it was just made, and its
// entity tag, by which a client can change no other state.
type shownSecret vault.Secret

func (s shownSecret) location() string { return "/api/v1/user/secrets/" + s.ID.String() }

func (s shownSecret) entityTag() string { return `"` + string(vault.Secret(s).Tag()) + `"` }

type secretList []vault.Secret

func createFromPreset(v *vault.Service) handler {
	return handleJSON(http.StatusCreated, parseFromPreset,
		func(r *request, in vault.FromPreset) (shownSecret, error) {
			s, err := v.CreateFromPreset(r.Context(), r.actor, in)
			return shownSecret(s), err
		})
}

func parseFromPreset(in wire.CreateFromPreset) (vault.FromPreset, error) {
	value, err := vault.NewValue(in.Value)
	return vault.FromPreset{Provider: in.Provider, Value: value}, err
}

func createSecret(v *vault.Service) handler {
	return handleJSON(http.StatusCreated, parseSecret,
		func(r *request, in vault.SecretRequest) (shownSecret, error) {
			s, err := v.CreateSecret(r.Context(), r.actor, in)
			return shownSecret(s), err
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
		func(r *request, value vault.Value) (shownSecret, error) {
			id, tags, err := r.conditional()
			if err != nil {
				return shownSecret{}, err
			}
			s, err := v.UpdateSecret(r.Context(), r.actor, id, value, tags...)
			return shownSecret(s), err
		})
}

func parseUpdate(in wire.UpdateSecret) (vault.Value, error) {
	return vault.NewValue(in.Value)
}

func renameSecret(v *vault.Service) handler {
	return handleJSON(http.StatusOK, parseRename,
		func(r *request, name vault.Name) (shownSecret, error) {
			id, tags, err := r.conditional()
			if err != nil {
				return shownSecret{}, err
			}
			s, err := v.RenameSecret(r.Context(), r.actor, id, name, tags...)
			return shownSecret(s), err
		})
}

func parseRename(in wire.RenameSecret) (vault.Name, error) { return vault.NewName(in.Name) }

func importSecrets(v *vault.Service) handler {
	return handleJSON(http.StatusOK, parseImport,
		func(r *request, in vault.Import) (secretList, error) {
			return v.ImportSecrets(r.Context(), r.actor, in)
		})
}

func parseImport(in wire.ImportSecrets) (vault.Import, error) {
	secrets := make([]vault.SecretRequest, len(in.Secrets))
	errs := make([]error, len(in.Secrets))
	for i, one := range in.Secrets {
		secrets[i], errs[i] = parseSecret(one)
		errs[i] = vault.InImport(i, errs[i])
	}
	all, err := vault.NewImport(secrets, valueOrZero(in.Replace))
	return all, vault.JoinInvalid(append(errs, err)...)
}

func getSecret(v *vault.Service) handler {
	return handleGet(func(r *request) (shownSecret, error) {
		id, err := r.pathID("secret_id")
		if err != nil {
			return shownSecret{}, err
		}
		s, err := v.GetSecret(r.Context(), r.actor, id)
		return shownSecret(s), err
	})
}

func deleteSecret(v *vault.Service) handler {
	return handleDelete(func(r *request) error {
		id, tags, err := r.conditional()
		if err != nil {
			return err
		}
		return v.DeleteSecret(r.Context(), r.actor, id, tags...)
	})
}

func listSecrets(v *vault.Service) handler {
	return handleGet(func(r *request) (secretList, error) {
		return v.ListSecrets(r.Context(), r.actor)
	})
}

func listPresets(v *vault.Service) handler {
	return handleGet(func(r *request) (wire.PresetList, error) {
		presets, err := v.ListPresets(r.Context(), r.actor)
		return wire.PresetList{Presets: bodiesOf(presets, presetBody)}, err
	})
}

func presetBody(p vault.Preset) wire.Preset {
	return wire.Preset{
		Provider: p.Provider, EnvVarName: p.EnvVarName, Configured: p.Configured,
		Category: p.Category, Aliases: append([]string{}, p.Aliases...),
		Probe: p.Probe, Broker: p.Broker,
	}
}
