// Package policy says which scope allows which action. It knows no user, request or database. What
// it does not list is not allowed.
package policy

import "slices"

// A Scope is a kind of action that an API key may take.
type Scope string

// The scopes of the contract.
const (
	SecretsRead  Scope = "secrets:read"  // metadata, never a value
	SecretsWrite Scope = "secrets:write" // create, update, roll back, delete
	LeasesWrite  Scope = "leases:write"  // use the values
	KeysWrite    Scope = "keys:write"    // one's API keys, and what else lets somebody in or act
	AuditRead    Scope = "audit:read"    // the user's audit log
	Admin        Scope = "admin"         // users
	ActUser      Scope = "act:user"      // act for users who grant that to the key's user
)

// UserScopes returns the scopes that concern the user's own library: all but [Admin] and [ActUser].
func UserScopes() []Scope {
	return []Scope{SecretsRead, SecretsWrite, LeasesWrite, KeysWrite, AuditRead}
}

// DefaultScopes returns the scopes that a new API key gets unless others are asked for: those that
// can make no further key, of its maker's.
func DefaultScopes() []Scope {
	return []Scope{SecretsRead, SecretsWrite, LeasesWrite, AuditRead}
}

// AllScopes returns all scopes.
func AllScopes() []Scope { return append(UserScopes(), Admin, ActUser) }

// GrantScopes returns the scopes that a user may grant to another: to know which secrets there are,
// and to use them.
func GrantScopes() []Scope { return []Scope{SecretsRead, LeasesWrite} }

// Known reports whether there is such a scope.
func Known(s Scope) bool { return slices.Contains(AllScopes(), s) }

// An Action is a use case, under the name that it has in the audit log.
type Action string

// The actions that scopes allow.
const (
	SecretList       Action = "secret.list"
	SecretGet        Action = "secret.get"
	SecretCreate     Action = "secret.create"
	SecretUpdate     Action = "secret.update"
	SecretRename     Action = "secret.rename"
	SecretImport     Action = "secret.import" // several at once
	SecretRollback   Action = "secret.rollback"
	SecretDelete     Action = "secret.delete"
	SecretDeadline   Action = "secret.deadline" // when it expires, as its owner says
	VersionList      Action = "version.list"
	UsageGet         Action = "usage.get"
	SecretProbe      Action = "secret.probe" // asks the provider of a secret
	HealthGet        Action = "health.get"
	WatchGet         Action = "watch.get"
	WatchSet         Action = "watch.set" // what is done without being asked
	LeaseCreate      Action = "lease.create"
	LeaseList        Action = "lease.list"
	LeaseGet         Action = "lease.get"
	LeaseRevoke      Action = "lease.revoke"
	LeaseRedeem      Action = "lease.redeem" // by a ticket
	LeaseUse         Action = "lease.use"    // by a placeholder, at the broker
	LeaseRequests    Action = "lease.requests"
	PresetList       Action = "preset.list"
	APIKeyCreate     Action = "api-key.create"
	APIKeyCreateFor  Action = "api-key.create-for" // for another user
	APIKeyList       Action = "api-key.list"
	APIKeyListAll    Action = "api-key.list-all" // of all users, without masks
	APIKeyRevoke     Action = "api-key.revoke"
	APIKeyRevokeOnly Action = "api-key.revoke-only" // keeps the keys that it made
	APIKeyRevokeSelf Action = "api-key.revoke-self" // the key, or the session, that asks
	SessionCreate    Action = "session.create"      // by a link, at a provider, by a passkey
	SessionConfirm   Action = "session.confirm"     // that its user is there, by a passkey
	SessionList      Action = "session.list"
	SessionEnd       Action = "session.end"
	SessionShutOut   Action = "session.shut-out"    // of who may not come in any more
	SignInLinkCreate Action = "sign-in-link.create" // for any user
	SignInLinkOwn    Action = "sign-in-link.create-own"
	IdentityLink     Action = "identity.link" // lets somebody sign in as any user
	IdentityUnlink   Action = "identity.unlink"
	PasskeyAdd       Action = "passkey.add"
	PasskeyList      Action = "passkey.list"
	PasskeyRemove    Action = "passkey.remove"
	TrustAdd         Action = "trust.add" // a rule
	TrustList        Action = "trust.list"
	TrustRemove      Action = "trust.remove"
	TrustExchange    Action = "trust.exchange" // of a token for a credential, by a rule
	GrantAdd         Action = "grant.add"      // to another user, who may then act for this one
	GrantList        Action = "grant.list"
	GrantRemove      Action = "grant.remove"
	UserActFor       Action = "user.act-for"   // by a grant of that user
	DeviceConfirm    Action = "device.confirm" // lets a program in that waits for it
	DeviceRefuse     Action = "device.refuse"
	DeviceLogin      Action = "device.login"   // by a program that was let in
	LibraryStop      Action = "library.stop"   // the emergency stop of a user's own
	AuditList        Action = "audit.list"     // the user's own chain
	AuditListAll     Action = "audit.list-all" // any chain
	WhoAmI           Action = "user.who-am-i"
	UserList         Action = "user.list"
	UserCreate       Action = "user.create"
	UserDelete       Action = "user.delete"
	UserDeleteLater  Action = "user.delete-later"
	UserKeep         Action = "user.keep" // calls the deletion off
	UserDisable      Action = "user.disable"
	UserEnable       Action = "user.enable"
	UserConfirm      Action = "user.confirm"   // that a repair is right, by the user
	FleetGet         Action = "fleet.get"      // the state of keys, backups and servers
	UsageListAll     Action = "usage.list-all" // by day, of all users together
)

// The actions of the operator, at the machine itself. No scope allows them.
const (
	RootKeyAdd      Action = "root-key.add"
	RootKeyRewrap   Action = "root-key.rewrap"
	RootKeyRetire   Action = "root-key.retire"
	OwnerKeyRotate  Action = "owner-key.rotate"
	OwnerKeyDestroy Action = "owner-key.destroy"
	BackupCreate    Action = "backup.create"
	BackupRestore   Action = "backup.restore"
	UserRestore     Action = "user.restore" // from a backup
	UserRepair      Action = "user.repair"
	InstanceCreate  Action = "instance.create"
	TamperingFound  Action = "tampering.found" // by a server, in what it read
	LockdownBegin   Action = "lockdown.begin"
	LockdownLift    Action = "lockdown.lift"

	InstanceKeyAdd     Action = "instance-key.add"
	InstanceKeyRotate  Action = "instance-key.rotate" // every ledger is signed anew
	InstanceKeyDestroy Action = "instance-key.destroy"

	AuditCheckpoint Action = "audit.checkpoint"
	AuditCut        Action = "audit.cut"
	FloorsReset     Action = "floors.reset" // an older database was accepted
)

// LeaseDispute is what is recorded when a ticket is presented that was redeemed before.
const LeaseDispute Action = "lease.dispute"

// PasskeyDispute is what is recorded when a passkey is used that counts no further than it did
// before: there may be two of it.
const PasskeyDispute Action = "passkey.dispute"

// noScope stands for the scope of an action that every API key may take.
const noScope Scope = ""

// requiredScope returns the scope that an action needs. found is false for an action that no scope
// allows.
func requiredScope(a Action) (scope Scope, found bool) {
	switch a {
	case SecretList, SecretGet, VersionList, PresetList, LeaseList, LeaseGet, LeaseRequests,
		UsageGet, HealthGet, WatchGet:
		return SecretsRead, true
	case SecretCreate, SecretUpdate, SecretRename, SecretImport, SecretRollback, SecretDelete,
		SecretDeadline, UserConfirm:
		return SecretsWrite, true
	case LeaseCreate, LeaseRevoke, SecretProbe, WatchSet:
		return LeasesWrite, true
	case APIKeyCreate, APIKeyList, APIKeyRevoke, APIKeyRevokeOnly, SessionList, SessionEnd,
		SignInLinkOwn, TrustAdd, TrustList, TrustRemove, GrantAdd, GrantList, GrantRemove,
		DeviceConfirm, DeviceRefuse, PasskeyAdd, PasskeyRemove:
		return KeysWrite, true
	case UserActFor:
		return ActUser, true
	case APIKeyCreateFor, SignInLinkCreate, IdentityLink, IdentityUnlink, UserList, UserCreate,
		UserDelete, UserDeleteLater, UserKeep, UserDisable, UserEnable, APIKeyListAll, FleetGet,
		UsageListAll:
		return Admin, true
	case AuditList:
		return AuditRead, true
	case AuditListAll:
		return Admin, true
	case WhoAmI, SessionCreate, SessionConfirm, SessionShutOut, PasskeyList, APIKeyRevokeSelf,
		LeaseRedeem, LeaseUse, TrustExchange, DeviceLogin,
		LibraryStop: // which needs the scopes of what it ends
		return noScope, true
	case RootKeyAdd, RootKeyRewrap, RootKeyRetire, OwnerKeyRotate, OwnerKeyDestroy, BackupCreate,
		BackupRestore, UserRestore, UserRepair, InstanceCreate, TamperingFound, AuditCheckpoint,
		AuditCut, FloorsReset, LockdownBegin, LockdownLift,
		InstanceKeyAdd, InstanceKeyRotate, InstanceKeyDestroy, LeaseDispute,
		PasskeyDispute:
	}
	return noScope, false
}

// Allow reports whether a holder of these scopes may take an action.
func Allow(held []Scope, a Action) bool {
	scope, found := requiredScope(a)
	return found && (scope == noScope || slices.Contains(held, scope))
}

// OpensValues reports whether a holder of these scopes may have values opened. To compare one with
// what they send tells nobody else anything.
func OpensValues(held []Scope) bool { return slices.Contains(held, LeasesWrite) }

// LastResort reports whether an action must work even on a full disk: it takes something away, or
// is what an operator does before making room.
func LastResort(a Action) bool {
	return slices.Contains([]Action{
		APIKeyRevoke, APIKeyRevokeOnly, APIKeyRevokeSelf, SessionEnd, SessionShutOut, SecretDelete,
		UserDelete, UserDeleteLater, IdentityUnlink, PasskeyRemove, UserDisable, LeaseRevoke,
		TrustRemove, GrantRemove, LibraryStop, LockdownBegin, BackupCreate, AuditCheckpoint,
		AuditCut,
	}, a)
}

// InLockdown reports whether a holder of these scopes may take an action in a lockdown: an admin
// reads, but no value, and stops and deletes. Who may not come in any more is shut out.
func InLockdown(held []Scope, a Action) bool {
	if a == SessionShutOut {
		return true
	}
	return slices.Contains(held, Admin) && (LastResort(a) || slices.Contains([]Action{
		SecretList, SecretGet, VersionList, PresetList, APIKeyList, SessionList, PasskeyList,
		WhoAmI, UserList, AuditList, AuditListAll, UserKeep, LeaseList, LeaseGet, LeaseRequests,
		UsageGet, HealthGet, TrustList, GrantList, WatchGet, APIKeyListAll, FleetGet,
		UsageListAll,
	}, a))
}

// ForAnother reports whether an action may be taken by who acts for another user: what a run needs,
// and nothing that adds, changes or hands on what is the user's.
func ForAnother(a Action) bool {
	return slices.Contains([]Action{
		SecretList, SecretGet, PresetList, LeaseCreate, LeaseList, LeaseGet, LeaseRevoke,
	}, a)
}

// Common returns the scopes that are in both.
func Common(a, b []Scope) []Scope {
	return slices.DeleteFunc(slices.Clone(a), func(s Scope) bool { return !slices.Contains(b, s) })
}

// Missing returns the wanted scopes that are not held. A key cannot give another key more scopes
// than it has itself.
func Missing(wanted, held []Scope) []Scope {
	var missing []Scope
	for _, s := range wanted {
		if !slices.Contains(held, s) {
			missing = append(missing, s)
		}
	}
	return missing
}
