package store

import (
	"context"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/audit"
)

const auditColumns = "owner_id, seq, at, user_id, api_key_id, action, outcome, target_id, name, version, hash"

func (s *Queries) AuditEntries(
	ctx context.Context,
	owner uuid.UUID,
	each func(audit.Linked) error,
) error {
	return s.each(
		ctx,
		"SELECT "+auditColumns+" FROM audit_entries WHERE owner_id = $1 ORDER BY seq",
		func(row scanner) error {
			var e audit.Linked
			var hash []byte
			if err := row.Scan(
				&e.Owner,
				&e.Seq,
				moment{&e.At},
				&e.User,
				&e.Key,
				&e.Action,
				&e.Outcome,
				&e.Target,
				&e.Name,
				&e.Version,
				&hash,
			); err != nil {
				return err
			}
			copy(e.Hash[:], hash)
			return each(e)
		},
		idText(owner),
	)
}

func (s *Queries) AppendAudit(ctx context.Context, e audit.Linked) error {
	return s.run(
		ctx,
		"INSERT INTO audit_entries ("+auditColumns+") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
		idText(
			e.Owner,
		),
		e.Seq,
		micros(e.At),
		idText(e.User),
		idText(e.Key),
		e.Action,
		string(e.Outcome),
		idText(e.Target),
		e.Name,
		e.Version,
		e.Hash[:],
	)
}
