package api

import (
	"net/http"

	"github.com/keysake/keysake/internal/vault"
)

// A route is one operation.
type route struct {
	method string
	path   string
	handle handler
	// public: no API key is asked for, and neither the client's version nor its rate matter.
	// Everything else is private.
	public bool
}

// routes is the whole surface. Which scope an operation needs stands in the policy, by the action
// that its use case names.
func routes(v *vault.Service) []route {
	return []route{
		{method: http.MethodGet, path: "/api/v1/health", handle: health, public: true},
		{method: http.MethodGet, path: "/api/v1/openapi.yaml", handle: contract, public: true},

		{method: http.MethodGet, path: "/api/v1/user", handle: whoAmI(v)},

		{method: http.MethodGet, path: "/api/v1/user/secrets", handle: listSecrets(v)},
		{method: http.MethodPost, path: "/api/v1/user/secrets", handle: createSecret(v)},
		{method: http.MethodGet, path: "/api/v1/user/secrets/presets", handle: listPresets(v)},
		{method: http.MethodPost, path: "/api/v1/user/secrets/preset", handle: createFromPreset(v)},
		{method: http.MethodGet, path: "/api/v1/user/secrets/{secret_id}", handle: getSecret(v)},
		{method: http.MethodPut, path: "/api/v1/user/secrets/{secret_id}", handle: updateSecret(v)},
		{
			method: http.MethodDelete,
			path:   "/api/v1/user/secrets/{secret_id}",
			handle: deleteSecret(v),
		},
		{
			method: http.MethodGet,
			path:   "/api/v1/user/secrets/{secret_id}/versions",
			handle: listVersions(v),
		},
		{
			method: http.MethodPost,
			path:   "/api/v1/user/secrets/{secret_id}/rollback",
			handle: rollbackSecret(v),
		},

		{method: http.MethodGet, path: "/api/v1/user/api-keys", handle: listAPIKeys(v)},
		{method: http.MethodPost, path: "/api/v1/user/api-keys", handle: createAPIKey(v)},
		{method: http.MethodDelete, path: "/api/v1/user/api-keys/self", handle: revokeSelf(v)},
		{method: http.MethodDelete, path: "/api/v1/user/api-keys/{id}", handle: revokeAPIKey(v)},

		{method: http.MethodGet, path: "/api/v1/admin/users", handle: listUsers(v)},
		{method: http.MethodPost, path: "/api/v1/admin/users", handle: createUser(v)},
		{method: http.MethodDelete, path: "/api/v1/admin/users/{id}", handle: deleteUser(v)},
		{
			method: http.MethodPost,
			path:   "/api/v1/admin/users/{id}/api-keys",
			handle: grantAPIKey(v),
		},
	}
}
