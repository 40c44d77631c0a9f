package api

import (
	"github.com/keysake/keysake/internal/vault"
	"github.com/keysake/keysake/wire"
)

func healthBody(h vault.Health) wire.SecretHealth {
	body := wire.SecretHealth{
		SecretID: h.Secret.String(), Version: number(h.Version), CheckedAt: wire.AtOrNull(h.At),
		Outcome: orNull(string(h.Outcome)), Note: orNull(h.Note),
		ExpiresAt: wire.AtOrNull(h.ExpiresAt), Facts: h.Facts,
	}
	if body.Facts == nil {
		body.Facts = map[string]string{}
	}
	return body
}

func getSecretHealth(v *vault.Service) handler {
	return handleGet(func(r *request) (wire.SecretHealth, error) {
		id, err := r.pathID("secret_id")
		if err != nil {
			return wire.SecretHealth{}, err
		}
		h, err := v.SecretHealth(r.Context(), r.actor, id)
		return healthBody(h), err
	})
}

func listSecretHealth(v *vault.Service) handler {
	return handleGet(func(r *request) (wire.SecretHealthList, error) {
		all, err := v.SecretHealths(r.Context(), r.actor)
		return wire.SecretHealthList{Health: bodiesOf(all, healthBody)}, err
	})
}

func probeSecret(v *vault.Service) handler {
	return handleGet(func(r *request) (wire.SecretHealth, error) {
		id, err := r.pathID("secret_id")
		if err != nil {
			return wire.SecretHealth{}, err
		}
		h, err := v.ProbeSecret(r.Context(), r.actor, id)
		return healthBody(h), err
	})
}
