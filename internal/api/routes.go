package api

import (
	"slices"
	"time"

	"github.com/keysake/keysake/internal/middleware"
	"github.com/keysake/keysake/internal/vault"
)

// A route is one operation.
type route struct {
	method string
	path   string
	access access
	limits middleware.Limits
	handle handler
}

// An access says who may call a route.
type access int

const (
	// authenticated is for callers with an API key, whose client's version and rate are checked.
	authenticated access = iota
	// public is for everyone, and checks nothing.
	public
	// byTicket is authenticated for those who present the ticket of a lease.
	byTicket
	// byToken is for those who present what a use case verifies; each refusal counts as a failed
	// authentication.
	byToken
	// current is public for clients whose version is not too old.
	current
)

// requestTimeout is how long a request may take from its headers to its answer.
const requestTimeout = 10 * time.Second

// probeTimeout is requestTimeout for a request that waits for a provider, which has 10 seconds.
const probeTimeout = 20 * time.Second

// maxBody is the size of the largest body that the contract allows.
const maxBody = 256 << 10

// routes is the whole surface. The policy says which scope an operation needs, by the action that
// its use case names.
func routes(v *vault.Service, brokerURL string) []route {
	noBody := middleware.Limits{Timeout: requestTimeout}
	body := middleware.Limits{Timeout: requestTimeout, MaxBody: maxBody}
	form := middleware.Limits{Timeout: requestTimeout, MaxBody: maxForm}
	const keys = "/api/v1/user/api-keys"
	return slices.Concat(adminRoutes(v), secretRoutes(v), deviceRoutes(v), []route{
		{"GET", "/api/v1/health", public, noBody, getHealth},
		{"GET", "/api/v1/openapi.yaml", public, noBody, getOpenAPIDocument},

		{"GET", "/api/v1/sealing-key", public, noBody, getSealingKey(v)},

		{"GET", "/api/v1/user", authenticated, noBody, whoAmI(v)},
		{"GET", "/api/v1/user/limits", authenticated, noBody, getLimits(v)},
		{"GET", "/api/v1/user/preferences", authenticated, noBody, getPreferences(v)},
		{"GET", "/api/v1/user/organizations", authenticated, noBody, listOrganizations(v)},
		{"GET", "/api/v1/user/watch", authenticated, noBody, getWatch(v)},
		{"PUT", "/api/v1/user/watch", authenticated, body, setWatch(v)},
		{"PUT", "/api/v1/user/confirmed", authenticated, noBody, confirmRepair(v)},

		{"GET", leasesPath, authenticated, noBody, listLeases(v)},
		{"POST", leasesPath, authenticated, body, idempotent(createLease(v, brokerURL))},
		{"GET", leasesPath + "/{lease_id}", authenticated, noBody, getLease(v)},
		{"DELETE", leasesPath + "/{lease_id}", authenticated, noBody, revokeLease(v)},
		{"GET", leasesPath + "/{lease_id}/requests", authenticated, noBody, listBrokered(v)},
		{"POST", "/api/v1/leases/redeem", byTicket, body, redeemTicket(v)},

		{"GET", keys, authenticated, noBody, listAPIKeys(v)},
		{"POST", keys, authenticated, body, createAPIKey(v)},
		{"DELETE", keys + "/self", authenticated, noBody, revokeSelf(v)},
		{"DELETE", keys + "/{id}", authenticated, noBody, revokeAPIKey(v)},
		{"POST", "/api/v1/user/sign-in-links", authenticated, noBody, createOwnSignInLink(v)},

		{"GET", trustPath, authenticated, noBody, listTrustRules(v)},
		{"POST", trustPath, authenticated, body, createTrustRule(v)},
		{"DELETE", trustPath + "/{id}", authenticated, noBody, removeTrustRule(v)},
		{"GET", grantsPath, authenticated, noBody, listUserGrants(v)},
		{"POST", grantsPath, authenticated, body, createUserGrant(v)},
		{"DELETE", grantsPath + "/{id}", authenticated, noBody, removeUserGrant(v)},

		{"POST", "/api/v1/auth/exchange", byToken, form, exchangeToken(v)},

		{"GET", "/api/v1/user/audit", authenticated, noBody, listAudit(v)},
	})
}

// secretRoutes is what a user does with their secrets.
func secretRoutes(v *vault.Service) []route {
	noBody := middleware.Limits{Timeout: requestTimeout}
	body := middleware.Limits{Timeout: requestTimeout, MaxBody: maxBody}
	asking := middleware.Limits{Timeout: probeTimeout}
	const secrets = "/api/v1/user/secrets"
	return []route{
		{"GET", secrets, authenticated, noBody, listSecrets(v)},
		{"POST", secrets, authenticated, body, idempotent(createSecret(v))},
		{"GET", secrets + "/presets", authenticated, noBody, listPresets(v)},
		{"POST", secrets + "/preset", authenticated, body, idempotent(createFromPreset(v))},
		{"POST", secrets + "/import", authenticated, body, importSecrets(v)},
		{"GET", secrets + "/usage", authenticated, noBody, listUsage(v)},
		{"GET", secrets + "/{secret_id}", authenticated, noBody, getSecret(v)},
		{"PUT", secrets + "/{secret_id}", authenticated, body, updateSecret(v)},
		{"DELETE", secrets + "/{secret_id}", authenticated, noBody, deleteSecret(v)},
		{"GET", secrets + "/{secret_id}/versions", authenticated, noBody, listVersions(v)},
		{"POST", secrets + "/{secret_id}/rename", authenticated, body, renameSecret(v)},
		{"POST", secrets + "/{secret_id}/rollback", authenticated, body, rollbackSecret(v)},

		{"GET", secrets + "/{secret_id}/usage", authenticated, noBody, getUsage(v)},
		{"GET", secrets + "/health", authenticated, noBody, listSecretHealth(v)},
		{"GET", secrets + "/{secret_id}/health", authenticated, noBody, getSecretHealth(v)},
		{"PUT", secrets + "/{secret_id}/expiry", authenticated, body, setSecretExpiry(v)},
		{"DELETE", secrets + "/{secret_id}/expiry", authenticated, noBody, clearSecretExpiry(v)},
		{"POST", secrets + "/{secret_id}/probe", authenticated, asking, probeSecret(v)},
	}
}

// deviceRoutes is what is for programs that their users let in.
func deviceRoutes(v *vault.Service) []route {
	noBody := middleware.Limits{Timeout: requestTimeout}
	body := middleware.Limits{Timeout: requestTimeout, MaxBody: maxBody}
	devices := newDevices(v)
	return []route{
		{"POST", devicePath + "/code", current, body, devices.start},
		{"GET", devicePath + "/code/{code}", current, noBody, devices.look},
		{"POST", devicePath + "/token", current, body, devices.fetch()},
	}
}

// adminRoutes is what is for admins alone.
func adminRoutes(v *vault.Service) []route {
	noBody := middleware.Limits{Timeout: requestTimeout}
	body := middleware.Limits{Timeout: requestTimeout, MaxBody: maxBody}
	const users = "/api/v1/admin/users"
	return []route{
		{"GET", "/api/v1/admin/audit", authenticated, noBody, listAnyAudit(v)},

		{"GET", users, authenticated, noBody, listUsers(v)},
		{"POST", users, authenticated, body, createUser(v)},
		{"DELETE", users + "/{id}", authenticated, noBody, deleteUser(v)},
		{"DELETE", users + "/{id}/deletion", authenticated, noBody, keepUser(v)},
		{"PUT", users + "/{id}/disabled", authenticated, noBody, disableUser(v)},
		{"DELETE", users + "/{id}/disabled", authenticated, noBody, enableUser(v)},
		{"PUT", users + "/{id}/identity", authenticated, body, linkIdentity(v)},
		{"DELETE", users + "/{id}/identity", authenticated, noBody, unlinkIdentity(v)},
		{"POST", users + "/{id}/api-keys", authenticated, body, createAPIKeyFor(v)},
		{"POST", users + "/{id}/sign-in-links", authenticated, noBody, createSignInLink(v)},
	}
}
