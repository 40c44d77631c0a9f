package api

import (
	"encoding/hex"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/vault"
	"github.com/keysake/keysake/wire"
)

// maxQueryText is how long an action or a run in a query may be.
const maxQueryText = 128

func listAudit(v *vault.Service) handler {
	return handleGet(func(r *request) (wire.AuditPage, error) {
		in, _, err := r.auditQuery()
		if err != nil {
			return wire.AuditPage{}, err
		}
		page, err := v.ListAudit(r.Context(), r.actor, in)
		return auditPageBody(page), inQuery(err)
	})
}

func listAnyAudit(v *vault.Service) handler {
	return handleGet(func(r *request) (wire.AuditPage, error) {
		in, user, err := r.auditQuery("user")
		if err != nil {
			return wire.AuditPage{}, err
		}
		page, err := v.ListAnyAudit(r.Context(), r.actor, user, in)
		return auditPageBody(page), inQuery(err)
	})
}

// auditQuery reads what both operations ask, and the user if that may be asked for.
func (r *request) auditQuery(further ...string) (in vault.AuditQuery, user uuid.UUID, err error) {
	q := r.query(append(further, "action", "secret", "lease", "run", "from", "to", "limit",
		"cursor")...)
	for _, name := range further {
		user = q.id(name)
	}
	in = vault.AuditQuery{
		Filter: vault.AuditFilter{
			Action: q.text("action"), Secret: q.id("secret"), Lease: q.id("lease"),
			Run: q.text("run"), From: q.moment("from"), To: q.moment("to"),
		},
		Limit: q.number("limit", vault.MaxAuditPage), Cursor: q.text("cursor"),
	}
	return in, user, q.err()
}

func auditPageBody(p vault.AuditPage) wire.AuditPage {
	return wire.AuditPage{
		Chain: p.Chain.String(), Head: headBody(p.Head), Cut: headBody(p.Cut),
		Entries: bodiesOf(p.Entries, func(e audit.Linked) wire.AuditEntry {
			return auditEntryBody(e, p.Names)
		}),
		Complete: p.Complete, Next: orNull(p.Next),
	}
}

// AuditLine returns an entry in the shape that it has in an answer, in one line without its end.
func AuditLine(e audit.Linked, names map[uuid.UUID]string) []byte {
	return asJSON(auditEntryBody(e, names))
}

func headBody(h audit.Head) wire.AuditHead {
	return wire.AuditHead{Seq: number(h.Seq), Hash: hex.EncodeToString(h.Hash[:])}
}

func auditEntryBody(e audit.Linked, names map[uuid.UUID]string) wire.AuditEntry {
	body := wire.AuditEntry{
		Seq: number(e.Seq), Hash: hex.EncodeToString(e.Hash[:]), Owner: e.Owner.String(),
		At: wire.At(e.At), UserID: idOrNull(e.User), OnBehalfOf: idOrNull(e.OnBehalfOf),
		Client: orNull(audit.AddrText(e.Client)), Action: e.Action, Outcome: string(e.Outcome),
		LeaseID: idOrNull(e.Lease), Run: orNull(e.Run),
	}
	if e.OnBehalfOf != uuid.Nil {
		body.Names = &wire.AuditNames{
			Username: orNull(names[e.User]), ForUsername: orNull(names[e.OnBehalfOf]),
		}
	}
	if e.Credential != (audit.Credential{}) {
		body.Credential = &wire.AuditCredential{
			Kind: string(e.Credential.Kind), ID: idOrNull(e.Credential.ID),
		}
	}
	if e.Target != (audit.Target{}) {
		body.Target = &wire.AuditTarget{
			Kind: string(e.Target.Kind), ID: idOrNull(e.Target.ID), Name: orNull(e.Target.Name),
		}
		if e.Target.Version > 0 {
			body.Target.Version = new(number(e.Target.Version))
		}
	}
	return body
}

// number is a number as JSON has it: the database keeps no greater one.
func number(n uint64) int64 { return int64(n) } //nolint:gosec // see above

// orNull is a text that is null where there is none.
func orNull(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}
