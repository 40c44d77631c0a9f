// Package policy says which scope allows which action. It is pure: it knows no user, no request and
// no database.
//
// What is not listed is not allowed.
package policy

import "slices"

// A Scope is what an API key may do.
type Scope string

// The scopes of the contract.
const (
	SecretsRead  Scope = "secrets:read"  // metadata, never a value
	SecretsWrite Scope = "secrets:write" // create, update, roll back, delete
	LeasesWrite  Scope = "leases:write"  // use the values
	KeysWrite    Scope = "keys:write"    // the user's API keys
	AuditRead    Scope = "audit:read"    // the user's audit log
	Admin        Scope = "admin"         // users
)

// UserScopes returns the scopes over one's own library: all but [Admin].
func UserScopes() []Scope {
	return []Scope{SecretsRead, SecretsWrite, LeasesWrite, KeysWrite, AuditRead}
}

// AllScopes returns every scope there is.
func AllScopes() []Scope { return append(UserScopes(), Admin) }

// Known tells whether there is such a scope.
func Known(s Scope) bool { return slices.Contains(AllScopes(), s) }

// An Action is a use case, by the name that it has in the audit log.
type Action string

// The actions.
const (
	SecretList      Action = "secret.list"
	SecretRead      Action = "secret.read"
	SecretCreate    Action = "secret.create"
	SecretUpdate    Action = "secret.update"
	SecretDelete    Action = "secret.delete"
	SecretVersions  Action = "secret.versions"
	SecretRollback  Action = "secret.rollback"
	SecretOpen      Action = "secret.open"
	PresetList      Action = "preset.list"
	APIKeyCreate    Action = "api-key.create"
	APIKeyList      Action = "api-key.list"
	APIKeyRevoke    Action = "api-key.revoke"
	APIKeyRevokeOwn Action = "api-key.revoke-self"
	APIKeyGrant     Action = "api-key.grant" // for another user
	UserSelf        Action = "user.self"
	UserList        Action = "user.list"
	UserCreate      Action = "user.create"
	UserDelete      Action = "user.delete"

	// These are the operator's, at the machine itself: no scope allows them.
	RootKeyAdd     Action = "root-key.add"
	RootKeyRewrap  Action = "root-key.rewrap"
	RootKeyRetire  Action = "root-key.retire"
	OwnerKeyRotate Action = "owner-key.rotate"
	BackupCreate   Action = "backup.create"
	BackupRestore  Action = "backup.restore"
)

// anyone stands for the actions that need no scope, only to be somebody.
const anyone Scope = ""

// needed returns the scope that an action needs. An action that is not here has none that would do.
func needed(a Action) (scope Scope, found bool) {
	switch a {
	case SecretList, SecretRead, SecretVersions, PresetList:
		return SecretsRead, true
	case SecretCreate, SecretUpdate, SecretRollback, SecretDelete:
		return SecretsWrite, true
	case SecretOpen:
		return LeasesWrite, true
	case APIKeyCreate, APIKeyList, APIKeyRevoke:
		return KeysWrite, true
	case APIKeyGrant, UserList, UserCreate, UserDelete:
		return Admin, true
	case UserSelf, APIKeyRevokeOwn:
		return anyone, true
	case RootKeyAdd, RootKeyRewrap, RootKeyRetire, OwnerKeyRotate, BackupCreate, BackupRestore:
	}
	return anyone, false
}

// Allow tells whether who holds these scopes may do a.
func Allow(held []Scope, a Action) bool {
	scope, found := needed(a)
	return found && (scope == anyone || slices.Contains(held, scope))
}

// Exceeds returns the scopes in wanted that held lacks: what a key may not be given by whoever
// holds held.
func Exceeds(wanted, held []Scope) []Scope {
	var over []Scope
	for _, s := range wanted {
		if !slices.Contains(held, s) {
			over = append(over, s)
		}
	}
	return over
}
