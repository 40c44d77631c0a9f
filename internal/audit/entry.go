package audit

import (
	"net/netip"
	"time"

	"github.com/google/uuid"
)

// An Outcome says how the action ended.
type Outcome string

// The outcomes.
const (
	Done    Outcome = "done"
	Refused Outcome = "refused" // by the policy or a quota; nothing was changed
)

// A CredentialKind says what kind of credential a caller presented.
type CredentialKind string

// The kinds of credentials.
const (
	CredentialAPIKey CredentialKind = "api-key"
	CredentialTicket CredentialKind = "ticket" // it has the id of its lease
	// CredentialPlaceholder is what a program sent to the broker; it has the id of its lease.
	CredentialPlaceholder CredentialKind = "placeholder"
	CredentialSession     CredentialKind = "session" // of the pages
	// CredentialSignInLink opens one session.
	CredentialSignInLink CredentialKind = "sign-in-link"
	// CredentialTrust is the rule by which a token was exchanged.
	CredentialTrust CredentialKind = "trust"
	// CredentialWorkload is what a token was exchanged for.
	CredentialWorkload CredentialKind = "workload"
	// CredentialSchedule is what a user asked to be done again and again. It has no id.
	CredentialSchedule CredentialKind = "schedule"
	// CredentialDevice is a login that its user has confirmed, and that was not fetched yet.
	CredentialDevice CredentialKind = "device"
	// CredentialIdentity is who signed in at a provider.
	CredentialIdentity CredentialKind = "identity"
	CredentialPasskey  CredentialKind = "passkey"
	// CredentialGrant is what lets another user act for this one. Nobody presents one.
	CredentialGrant CredentialKind = "grant"
)

// A Credential names what a caller presented. The zero Credential is that of the operator, who
// presents none.
type Credential struct {
	Kind CredentialKind
	ID   uuid.UUID
}

// A TargetKind says what kind of thing an action was done to.
type TargetKind string

// The kinds of targets.
const (
	TargetSecret   TargetKind = "secret"
	TargetAPIKey   TargetKind = "api-key"
	TargetUser     TargetKind = "user"
	TargetRootKey  TargetKind = "root-key"
	TargetOwnerKey TargetKind = "owner-key"
	TargetBackup   TargetKind = "backup"
	// TargetAuditLog is a chain whose beginning was cut off. It has the hash there as its name, and
	// the number as its version.
	TargetAuditLog TargetKind = "audit-log"
	// TargetCheckpoint has the hash of the checkpoint as its name, and its number as its version.
	TargetCheckpoint TargetKind = "checkpoint"
	TargetDatabase   TargetKind = "database"
	// TargetRefusals stands for more refusals like one before. Their number is its version.
	TargetRefusals TargetKind = "refusals"
	// TargetInstanceKey is a key that signs.
	TargetInstanceKey TargetKind = "instance-key"
	TargetLease       TargetKind = "lease"
	TargetSession     TargetKind = "session"
	TargetSignInLink  TargetKind = "sign-in-link"
	TargetTrust       TargetKind = "trust" // a rule
	// TargetWorkload is a credential. When it is given, its name is the issuer and the subject of
	// the token.
	TargetWorkload TargetKind = "workload"
	// TargetDevice is the login of a program. Its name is what the program calls itself.
	TargetDevice TargetKind = "device"
	// TargetIdentity is who signs in at a provider as a user. Its name is issuer and subject.
	TargetIdentity TargetKind = "identity"
	TargetPasskey  TargetKind = "passkey"
	// TargetGrant lets another user act for this one. Its name is that user's.
	TargetGrant TargetKind = "grant"
)

// A Target is what an action was done to. The zero Target stands for none.
type Target struct {
	Kind    TargetKind
	ID      uuid.UUID // nil where the target has none, as a backup
	Name    string    // at that moment
	Version uint64    // of a secret; a number, where the kind says so; 0 otherwise
}

// An Entry says what was done, by whom, and with what. It never has anything of a value. A change
// that uses several secrets leaves an entry for each.
type Entry struct {
	// Owner is whose chain it is in: the user whose library the action touches, of a refusal the
	// user who asked, or the instance for what touches no library.
	Owner      uuid.UUID
	Seq        uint64    // from 1, without a gap
	At         time.Time // truncated to microseconds
	User       uuid.UUID // who did it; nil for the operator
	Credential Credential
	OnBehalfOf uuid.UUID  // the user for whom User acted; nil where it was User's own doing
	Client     netip.Addr // of the client, as resolved; the zero Addr where there is none
	Action     string     // a policy.Action
	Outcome    Outcome
	Target     Target
	Lease      uuid.UUID // nil where there is none
	Run        string    // the run that the lease is for; empty where there is none
}
