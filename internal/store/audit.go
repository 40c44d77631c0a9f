package store

import (
	"context"
	"net/netip"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/audit"
)

const auditColumns = `owner_id, seq, at, user_id, credential_kind, credential_id, on_behalf_of, client,
	action, outcome, target_kind, target_id, target_name, target_version, lease_id, run, hash`

func (s *Queries) AuditEntries(
	ctx context.Context, owner uuid.UUID, each func(audit.Linked) error,
) error {
	const q = "SELECT " + auditColumns + " FROM audit_entries WHERE owner_id = $1 ORDER BY seq"
	return s.each(ctx, q, func(row scanner) error {
		var e audit.Linked
		var hash []byte
		if err := row.Scan(
			&e.Owner, &e.Seq, moment{&e.At}, &e.User, &e.Credential.Kind, &e.Credential.ID,
			&e.OnBehalfOf, address{&e.Client}, &e.Action, &e.Outcome, &e.Target.Kind, &e.Target.ID,
			&e.Target.Name, &e.Target.Version, &e.Lease, &e.Run, &hash,
		); err != nil {
			return err
		}
		copy(e.Hash[:], hash)
		return each(e)
	}, idText(owner))
}

func (s *Queries) AppendAudit(ctx context.Context, e audit.Linked) error {
	const q = "INSERT INTO audit_entries (" + auditColumns + `)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)`
	return s.run(ctx, q,
		idText(e.Owner), e.Seq, micros(e.At), idText(e.User), string(e.Credential.Kind),
		idText(e.Credential.ID), idText(e.OnBehalfOf), audit.AddrText(e.Client), e.Action,
		string(e.Outcome), string(e.Target.Kind), idText(e.Target.ID), e.Target.Name,
		e.Target.Version, idText(e.Lease), e.Run, e.Hash[:])
}

// An address scans what [audit.AddrText] made.
type address struct{ a *netip.Addr }

// Scan implements [sql.Scanner].
func (a address) Scan(from any) (err error) {
	*a.a = netip.Addr{}
	if text, _ := from.(string); text != "" {
		*a.a, err = netip.ParseAddr(text)
	}
	return err
}
