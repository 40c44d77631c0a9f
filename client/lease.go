package client

import (
	"context"
	"net/http"

	"github.com/keysake/keysake/plaintext"
	"github.com/keysake/keysake/wire"
)

const leases = "/user/leases"

// A LeaseFilter chooses leases. The zero LeaseFilter is the first page of all.
type LeaseFilter struct {
	State    string // a Lease constant of package wire
	SecretID string
	RunID    string
	Limit    int    // of a page: at most 200; 0 leaves it to the server
	Cursor   string // of the page before: its Next; empty for the first page
}

func (f LeaseFilter) query() string {
	return query(f.Limit, map[string]string{
		"state": f.State, "secret_id": f.SecretID, "run_id": f.RunID, "cursor": f.Cursor,
	})
}

// CreateLease grants the use of secrets in one run. The response has the bundle, the ticket or the
// placeholders, which no later response has. It needs the scope leases:write. 403: the caller has
// 1000 leases that can be used. 404: the caller has no secret with one of the ids.
func (c *Client) CreateLease(ctx context.Context, in wire.CreateLease) (wire.Lease, error) {
	return call[wire.Lease](ctx, c, http.MethodPost, leases, in)
}

// ListLeases returns a page of the caller's leases, newest first. A page looks at 1,000 leases:
// with a filter it may have none though its Next says that there are more to look at. It needs the
// scope secrets:read.
func (c *Client) ListLeases(ctx context.Context, f LeaseFilter) (wire.LeaseList, error) {
	return call[wire.LeaseList](ctx, c, http.MethodGet, leases+f.query(), nil)
}

// GetLease returns one lease. It needs the scope secrets:read. 404: the caller has
// no lease with this id.
func (c *Client) GetLease(ctx context.Context, id string) (wire.Lease, error) {
	path, err := pathOf(leases, id)
	if err != nil {
		return wire.Lease{}, err
	}
	return call[wire.Lease](ctx, c, http.MethodGet, path, nil)
}

// RevokeLease ends a lease. A ticket that was not redeemed is of no use from then on; what was
// delivered stays delivered, and the response says so. It needs the scope leases:write. 404: the
// caller has no lease with this id.
func (c *Client) RevokeLease(ctx context.Context, id string) (wire.RevokedLease, error) {
	path, err := pathOf(leases, id)
	if err != nil {
		return wire.RevokedLease{}, err
	}
	return call[wire.RevokedLease](ctx, c, http.MethodDelete, path, nil)
}

// A RequestFilter chooses requests of a lease at the broker. The zero RequestFilter is the newest.
type RequestFilter struct {
	After   string // newer than the request with this id
	Refused bool   // only those that got no key
	Limit   int    // at most 200; 0 leaves it to the server
}

// LeaseRequests returns what was recorded of the requests of a lease at the broker, oldest first.
// It needs the scope secrets:read. 404: the caller has no lease with this id.
func (c *Client) LeaseRequests(
	ctx context.Context, id string, f RequestFilter,
) (wire.BrokeredRequestList, error) {
	path, err := pathOf(leases, id)
	if err != nil {
		return wire.BrokeredRequestList{}, err
	}
	choice := map[string]string{"after": f.After}
	if f.Refused {
		choice["refused"] = "true"
	}
	path += "/requests" + query(f.Limit, choice)
	return call[wire.BrokeredRequestList](ctx, c, http.MethodGet, path, nil)
}

// RedeemTicket presents a ticket, and not the client's API key, and returns the lease with its
// bundle. A ticket is redeemed once. 401: it is unknown, or has ended. 409: it was redeemed before.
func (c *Client) RedeemTicket(
	ctx context.Context, ticket plaintext.Value, in wire.RedeemTicket,
) (wire.Lease, error) {
	with := *c
	with.key, with.actFor = ticket, ""
	return call[wire.Lease](ctx, &with, http.MethodPost, "/leases/redeem", in)
}

// SecretUsage returns where a secret is and was used. It needs the scope secrets:read. 404: the
// caller has no secret with this id.
func (c *Client) SecretUsage(ctx context.Context, secretID string) (wire.SecretUsage, error) {
	path, err := pathOf(secrets, secretID)
	if err != nil {
		return wire.SecretUsage{}, err
	}
	return call[wire.SecretUsage](ctx, c, http.MethodGet, path+"/usage", nil)
}

// SecretUsages returns how each of the caller's secrets is used. It needs the scope
// secrets:read.
func (c *Client) SecretUsages(ctx context.Context) (wire.SecretUsageList, error) {
	return call[wire.SecretUsageList](ctx, c, http.MethodGet, secrets+"/usage", nil)
}
