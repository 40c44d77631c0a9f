package client

import (
	"context"
	"net/http"
	"time"

	"github.com/keysake/keysake/wire"
)

// An AuditFilter says which entries of an audit log are wanted. A field that is zero wants any.
type AuditFilter struct {
	Action string    // such as secret.create
	Secret string    // the id of a secret
	Lease  string    // the id of a lease
	Run    string    // the id of a run
	From   time.Time // not before it
	To     time.Time // before it
	Limit  int       // of a page: at most 200; 0 leaves it to the server
	Cursor string    // of the page before: its Next; empty for the first page
}

// ListAudit returns a page of the caller's audit log, newest first. It needs the scope audit:read.
func (c *Client) ListAudit(ctx context.Context, f AuditFilter) (wire.AuditPage, error) {
	return call[wire.AuditPage](ctx, c, http.MethodGet, "/user/audit"+f.query(""), nil)
}

// ListAnyAudit is [Client.ListAudit] for the log of a user, who may be deleted, or of the instance
// itself if userID is empty. It needs the scope admin. 404: there never was such a user.
func (c *Client) ListAnyAudit(
	ctx context.Context, userID string, f AuditFilter,
) (wire.AuditPage, error) {
	return call[wire.AuditPage](ctx, c, http.MethodGet, "/admin/audit"+f.query(userID), nil)
}

func (f AuditFilter) query(user string) string {
	return query(f.Limit, map[string]string{
		"user": user, "action": f.Action, "secret": f.Secret, "lease": f.Lease, "run": f.Run,
		"from": moment(f.From), "to": moment(f.To), "cursor": f.Cursor,
	})
}

func moment(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.UTC().Format(time.RFC3339Nano)
}
