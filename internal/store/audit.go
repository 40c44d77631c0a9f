package store

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/audit"
)

var auditEntries = newTable("audit_entries", 2,
	id("owner_id", func(e *audit.Linked) *uuid.UUID { return &e.Owner }),
	number("seq", func(e *audit.Linked) *uint64 { return &e.Seq }),
	moment("at", func(e *audit.Linked) *time.Time { return &e.At }),
	id("user_id", func(e *audit.Linked) *uuid.UUID { return &e.User }),
	text("credential_kind", func(e *audit.Linked) *audit.CredentialKind {
		return &e.Credential.Kind
	}),
	id("credential_id", func(e *audit.Linked) *uuid.UUID { return &e.Credential.ID }),
	id("on_behalf_of", func(e *audit.Linked) *uuid.UUID { return &e.OnBehalfOf }),
	encoded("client", clientText, parseClient),
	text("action", func(e *audit.Linked) *string { return &e.Action }),
	text("outcome", func(e *audit.Linked) *audit.Outcome { return &e.Outcome }),
	text("target_kind", func(e *audit.Linked) *audit.TargetKind { return &e.Target.Kind }),
	id("target_id", func(e *audit.Linked) *uuid.UUID { return &e.Target.ID }),
	text("target_name", func(e *audit.Linked) *string { return &e.Target.Name }),
	number("target_version", func(e *audit.Linked) *uint64 { return &e.Target.Version }),
	id("lease_id", func(e *audit.Linked) *uuid.UUID { return &e.Lease }),
	text("run", func(e *audit.Linked) *string { return &e.Run }),
	hash("hash", func(e *audit.Linked) *audit.Hash { return &e.Hash }))

func clientText(e *audit.Linked) string { return audit.AddrText(e.Client) }

var errNotAddress = errors.New("the value is not an address")

func parseClient(e *audit.Linked, text string) (err error) {
	e.Client = netip.Addr{}
	if text == "" {
		return nil
	}
	if e.Client, err = netip.ParseAddr(text); err != nil || audit.AddrText(e.Client) != text {
		return errNotAddress
	}
	return nil
}

// AuditEntries implements [vault.Reader].
func (q *Queries) AuditEntries(
	ctx context.Context, owner uuid.UUID, each func(audit.Linked) error,
) error {
	return auditEntries.each(ctx, q.conn, each, "WHERE owner_id = $1 ORDER BY seq", idText(owner))
}

// AuditBetween implements [vault.Reader].
func (q *Queries) AuditBetween(
	ctx context.Context, owner uuid.UUID, after, last uint64, each func(audit.Linked) error,
) error {
	const between = "WHERE owner_id = $1 AND seq > $2 AND seq <= $3 ORDER BY seq"
	return auditEntries.each(ctx, q.conn, each, between,
		idText(owner), integer(after), integer(last))
}

// LastTarget implements [vault.Reader].
func (q *Queries) LastTarget(
	ctx context.Context, owner uuid.UUID, kind audit.TargetKind,
) (audit.Linked, error) {
	const last = "WHERE owner_id = $1 AND target_kind = $2 ORDER BY seq DESC LIMIT 1"
	return auditEntries.get(ctx, q.conn, last, idText(owner), string(kind))
}

// CutAudit implements [vault.Tx].
func (q *Queries) CutAudit(ctx context.Context, owner uuid.UUID, last uint64) error {
	return q.exec(ctx, "DELETE FROM audit_entries WHERE owner_id = $1 AND seq <= $2",
		idText(owner), integer(last))
}

// AppendAudit implements [vault.Tx].
func (q *Queries) AppendAudit(ctx context.Context, entries []audit.Linked) error {
	return auditEntries.insertAll(ctx, q.conn, entries)
}
