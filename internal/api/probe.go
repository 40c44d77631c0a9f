package api

import (
	"net/http"
	"time"

	"github.com/keysake/keysake/internal/vault"
	"github.com/keysake/keysake/wire"
)

func healthBody(h vault.Health) wire.SecretHealth {
	body := wire.SecretHealth{
		SecretID: h.Secret.String(), Version: number(h.Version), CheckedAt: wire.AtOrNull(h.At),
		Outcome: orNull(string(h.Outcome)), Note: orNull(h.Note),
		KeyExpiresAt: wire.AtOrNull(h.ExpiresAt), Facts: h.Facts,
		ExpiresAt:   wire.AtOrNull(h.Deadline.At),
		UnusedSince: wire.At(h.IdleSince), Warnings: texts(h.Warnings),
		WorkedAt: wire.AtOrNull(h.WorkedAt), RefusedAt: wire.AtOrNull(h.RefusedAt),
	}
	if body.ExpiresAt != nil {
		body.RemindBefore = new(int64(h.Deadline.RemindBefore / time.Second))
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

func setSecretExpiry(v *vault.Service) handler {
	return handleJSON(http.StatusOK, parseExpiry,
		func(r *request, d vault.Deadline) (wire.Expiry, error) {
			id, err := r.pathID("secret_id")
			if err == nil {
				err = v.SetDeadline(r.Context(), r.actor, id, d)
			}
			return wire.Expiry{
				ExpiresAt: wire.At(d.At), RemindBefore: int64(d.RemindBefore / time.Second),
			}, err
		})
}

func parseExpiry(in wire.SecretExpiry) (vault.Deadline, error) {
	return vault.NewDeadline(in.ExpiresAt.Time, in.RemindBefore)
}

func clearSecretExpiry(v *vault.Service) handler {
	return handleDelete(func(r *request) error {
		id, err := r.pathID("secret_id")
		if err != nil {
			return err
		}
		return v.ClearDeadline(r.Context(), r.actor, id)
	})
}

func getWatch(v *vault.Service) handler {
	return handleGet(func(r *request) (wire.Watch, error) {
		w, err := v.GetWatch(r.Context(), r.actor)
		return watchBody(w), err
	})
}

func setWatch(v *vault.Service) handler {
	return handleJSON(http.StatusOK, parseWatch,
		func(r *request, w vault.Watch) (wire.Watch, error) {
			return watchBody(w), v.SetWatch(r.Context(), r.actor, w)
		})
}

func parseWatch(in wire.Watch) (vault.Watch, error) {
	return vault.NewWatch(in.ProbeEvery, in.UnusedAfter)
}

func watchBody(w vault.Watch) wire.Watch {
	return wire.Watch{
		ProbeEvery: secondsOrNull(w.ProbeEvery), UnusedAfter: secondsOrNull(w.UnusedAfter),
	}
}

func secondsOrNull(d time.Duration) *int64 {
	if d == 0 {
		return nil
	}
	return new(int64(d / time.Second))
}
