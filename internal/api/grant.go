package api

import (
	"net/http"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/vault"
	"github.com/keysake/keysake/wire"
)

const grantsPath = "/api/v1/user/grants"

func userGrantBody(g vault.UserGrant) wire.UserGrant {
	body := wire.UserGrant{
		ID: g.ID.String(), UserID: g.Terms.User.String(), Username: g.Name,
		Scopes: texts(g.Scopes), Active: g.Active, OpenLeases: g.Open,
		CreatedAt: wire.At(g.CreatedAt), LastUsedAt: wire.AtOrNull(g.LastUsedAt),
		ExpiresAt: wire.AtOrNull(g.ExpiresAt),
	}
	if len(g.Terms.Secrets) > 0 {
		body.SecretIDs = new(bodiesOf(g.Terms.Secrets, uuid.UUID.String))
	}
	return body
}

func listUserGrants(v *vault.Service) handler {
	return handleGet(func(r *request) (wire.UserGrantList, error) {
		grants, err := v.ListUserGrants(r.Context(), r.actor)
		return wire.UserGrantList{Grants: bodiesOf(grants, userGrantBody), Total: len(grants)}, err
	})
}

func createUserGrant(v *vault.Service) handler {
	return handleJSON(http.StatusCreated, parseUserGrant,
		func(r *request, in vault.GrantRequest) (wire.UserGrant, error) {
			made, err := v.CreateUserGrant(r.Context(), r.actor, in)
			return userGrantBody(made), err
		})
}

func parseUserGrant(in wire.CreateUserGrant) (out vault.GrantRequest, err error) {
	var faults [3]error
	out.Scopes = valueOrZero(in.Scopes)
	out.To, faults[0] = vault.NewUserRef(in.User)
	if in.SecretIDs != nil {
		var chosen vault.SecretIDs
		chosen, faults[1] = vault.NewSecretIDs(*in.SecretIDs)
		out.Secrets = &chosen
	}
	if in.ExpiresAt != nil {
		out.ExpiresAt, faults[2] = vault.NewExpiry(in.ExpiresAt.Time)
	}
	return out, vault.JoinInvalid(faults[:]...)
}

func removeUserGrant(v *vault.Service) handler {
	return handleDelete(func(r *request) error {
		id, err := r.pathID("id")
		if err != nil {
			return err
		}
		return v.RemoveUserGrant(r.Context(), r.actor, id)
	})
}
