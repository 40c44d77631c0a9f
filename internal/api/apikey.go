package api

import (
	"net/http"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/identity"
	"github.com/keysake/keysake/internal/vault"
	"github.com/keysake/keysake/plaintext"
	"github.com/keysake/keysake/wire"
)

func apiKeyBody(k vault.APIKey) wire.APIKey {
	return wire.APIKey{
		ID:            k.ID.String(),
		ParentID:      idOrNull(k.Parent),
		MaskedKey:     k.Masked,
		Active:        k.Active,
		Name:          k.Name,
		AllowedScopes: texts(k.Scopes),
		CreatedAt:     wire.At(k.CreatedAt),
		LastUsedAt:    wire.AtOrNull(k.LastUsedAt),
		ExpiresAt:     wire.AtOrNull(k.ExpiresAt),
	}
}

func idOrNull(id uuid.UUID) *string {
	if id == uuid.Nil {
		return nil
	}
	return new(id.String())
}

// newAPIKeyBody is the one answer that has the token.
func newAPIKeyBody(k vault.APIKey, token plaintext.Value) wire.APIKey {
	body := apiKeyBody(k)
	body.Key = string(token.Reveal())
	return body
}

func createAPIKey(v *vault.Service) handler {
	return handleJSON(http.StatusCreated, parseAPIKey,
		func(r *request, in vault.APIKeyRequest) (wire.APIKey, error) {
			k, token, err := v.CreateAPIKey(r.Context(), r.actor, in)
			return newAPIKeyBody(k, token), err
		})
}

func createAPIKeyFor(v *vault.Service) handler {
	return handleJSON(http.StatusCreated, parseAPIKey,
		func(r *request, in vault.APIKeyRequest) (wire.APIKey, error) {
			id, err := r.pathID("id")
			if err != nil {
				return wire.APIKey{}, err
			}
			k, token, err := v.CreateAPIKeyFor(r.Context(), r.actor, id, in)
			return newAPIKeyBody(k, token), err
		})
}

func createSignInLink(v *vault.Service) handler {
	return func(w http.ResponseWriter, r *request) error {
		id, err := r.pathID("id")
		if err != nil {
			return err
		}
		link, token, err := v.CreateSignInLink(r.Context(), r.actor, id)
		return writeSignInLink(w, link, token, err)
	}
}

func createOwnSignInLink(v *vault.Service) handler {
	return func(w http.ResponseWriter, r *request) error {
		link, token, err := v.CreateOwnSignInLink(r.Context(), r.actor)
		return writeSignInLink(w, link, token, err)
	}
}

func writeSignInLink(
	w http.ResponseWriter, link vault.APIKey, token plaintext.Value, err error,
) error {
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusCreated, wire.SignInLink{
		ID: link.ID.String(), Path: identity.PathOfLink(token), ExpiresAt: wire.At(link.ExpiresAt),
	})
	return nil
}

func parseAPIKey(in wire.CreateAPIKey) (vault.APIKeyRequest, error) {
	name, badName := vault.NewKeyName(valueOrZero(in.Name))
	scopes, badScopes := vault.NewScopes(valueOrZero(in.AllowedScopes))
	badOrg := badID("org_id", in.OrgID)
	badWorkspace := badID("workspace_id", in.WorkspaceID)
	var expiry vault.Expiry
	var badExpiry error
	if in.ExpiresAt != nil {
		expiry, badExpiry = vault.NewExpiry(in.ExpiresAt.Time)
	}
	return vault.APIKeyRequest{
		Name: name, SelfRevoke: valueOrZero(in.AllowSelfRevoke), Scopes: scopes, ExpiresAt: expiry,
	}, vault.JoinInvalid(badName, badScopes, badExpiry, badOrg, badWorkspace)
}

// badID returns what is wrong with an id in a body that changes nothing, nil if nothing is.
func badID(name string, text *string) error {
	if text == nil {
		return nil
	}
	if _, err := uuid.Parse(*text); err != nil || len(*text) != 36 {
		wrong := vault.Field{Name: name, Rule: vault.UUID, Msg: "Must be a UUID"}
		return &vault.Error{Kind: vault.Invalid, Fields: []vault.Field{wrong}}
	}
	return nil
}

func listAPIKeys(v *vault.Service) handler {
	return handleGet(func(r *request) (wire.APIKeyList, error) {
		keys, err := v.ListAPIKeys(r.Context(), r.actor)
		return wire.APIKeyList{APIKeys: bodiesOf(keys, apiKeyBody), Total: len(keys)}, err
	})
}

func revokeAPIKey(v *vault.Service) handler {
	return deleteEither("keep_children", v.RevokeAPIKeyOnly, v.RevokeAPIKey)
}

func revokeSelf(v *vault.Service) handler {
	return handleDelete(func(r *request) error { return v.RevokeSelf(r.Context(), r.actor) })
}
