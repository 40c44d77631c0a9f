package cli

import (
	"encoding/json"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/audit"
)

// An auditEntry is an entry of the audit log as JSON. What does not apply is left out.
type auditEntry struct {
	Chain      uuid.UUID  `json:"chain"`
	Number     uint64     `json:"number"`
	At         time.Time  `json:"at"`
	User       uuid.UUID  `json:"user,omitzero"`
	Credential *idOfKind  `json:"credential,omitempty"`
	OnBehalfOf uuid.UUID  `json:"on_behalf_of,omitzero"`
	Client     string     `json:"client,omitempty"`
	Action     string     `json:"action"`
	Outcome    string     `json:"outcome"`
	Target     *idOfKind  `json:"target,omitempty"`
	Lease      uuid.UUID  `json:"lease,omitzero"`
	Run        string     `json:"run,omitempty"`
	Hash       audit.Hash `json:"hash"`
}

// An idOfKind is a credential or a target.
type idOfKind struct {
	Kind    string    `json:"kind"`
	ID      uuid.UUID `json:"id,omitzero"`
	Name    string    `json:"name,omitempty"`
	Version uint64    `json:"version,omitempty"`
}

// printEntry prints an entry as one line of JSON.
func (a *app) printEntry(e audit.Linked) error {
	shown := auditEntry{
		Chain: e.Owner, Number: e.Seq, At: e.At, User: e.User, OnBehalfOf: e.OnBehalfOf,
		Client: audit.AddrText(e.Client), Action: e.Action, Outcome: string(e.Outcome),
		Lease: e.Lease, Run: e.Run, Hash: e.Hash,
	}
	if e.Credential != (audit.Credential{}) {
		shown.Credential = &idOfKind{Kind: string(e.Credential.Kind), ID: e.Credential.ID}
	}
	if t := e.Target; t != (audit.Target{}) {
		shown.Target = &idOfKind{string(t.Kind), t.ID, t.Name, t.Version}
	}
	line, err := json.Marshal(shown)
	if err != nil {
		return err
	}
	return a.print(escape(string(line)) + "\n")
}
