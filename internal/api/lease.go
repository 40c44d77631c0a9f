package api

import (
	"net/http"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/vault"
	"github.com/keysake/keysake/wire"
)

const leasesPath = "/api/v1/user/leases"

// A madeLease is a lease that was just made: its answer says where it is.
type madeLease struct{ wire.Lease }

func (l madeLease) location() string { return leasesPath + "/" + l.ID }

func leaseBody(l vault.Lease) wire.Lease {
	body := wire.Lease{
		ID: l.ID.String(), Delivery: string(l.Delivery), State: string(l.State),
		Secrets: bodiesOf(l.Secrets, leasedBody), Run: runBody(l.Run),
		RequestedBy: requesterBody(l),
		CreatedAt:   wire.At(l.CreatedAt), ExpiresAt: wire.At(l.ExpiresAt),
		RedeemedAt: wire.AtOrNull(l.RedeemedAt), RevokedAt: wire.AtOrNull(l.RevokedAt),
		DisputedAt: wire.AtOrNull(l.DisputedAt),
	}
	if l.Delivery == vault.ByBroker {
		body.Broker = &wire.LeaseBroker{Limits: limitsBody(l.Limits)}
	}
	return body
}

func requesterBody(l vault.Lease) wire.Requester {
	body := wire.Requester{ID: l.APIKey.String(), Name: l.APIKeyName}
	if l.By != (vault.Acting{}) {
		body.ActingUser = &wire.ActingUser{
			ID: l.By.User.String(), Username: l.By.Name, GrantID: l.By.Grant.String(),
		}
	}
	return body
}

func leasedBody(s vault.LeasedSecret) wire.LeasedSecret {
	body := wire.LeasedSecret{ID: s.ID.String(), Name: s.Name}
	if s.Version > 0 {
		body.Version = new(number(s.Version))
	}
	return body
}

func runBody(r vault.Run) *wire.Run {
	if r == (vault.Run{}) {
		return nil
	}
	return &wire.Run{ID: orNull(r.ID), Label: orNull(r.Label)}
}

// deliveredBody is a lease with what it hands out.
func deliveredBody(d vault.Delivered) wire.Lease {
	body := leaseBody(d.Lease)
	body.Ticket = string(d.Ticket.Reveal())
	if len(d.Bundle) > 0 {
		body.Bundle = &wire.Bundle{
			Server: d.Server.String(), Lease: d.ID.String(), Sealed: d.Bundle,
		}
	}
	return body
}

func createLease(v *vault.Service, brokerURL string) handler {
	return handleJSON(http.StatusCreated, parseLease,
		func(r *request, in vault.LeaseRequest) (madeLease, error) {
			if in.Delivery == vault.ByBroker && brokerURL == "" {
				return madeLease{}, errNoBroker()
			}
			made, err := v.CreateLease(r.Context(), r.actor, in)
			body := deliveredBody(made)
			if err == nil && in.Delivery == vault.ByBroker {
				body.Broker.URL, body.Broker.Secrets = brokerURL, brokeredBodies(v, made)
			}
			return madeLease{body}, err
		})
}

func parseLease(in wire.CreateLease) (out vault.LeaseRequest, err error) {
	var faults [6]error
	out.Secrets, faults[0] = vault.NewSecretIDs(in.SecretIDs)
	out.Delivery, faults[1] = vault.NewDelivery(in.Delivery)
	if in.Recipient != nil {
		out.Recipient, faults[2] = vault.NewRecipient(*in.Recipient)
	}
	if in.TTLSeconds != nil {
		out.TTL, faults[3] = vault.NewTTL(*in.TTLSeconds)
	}
	if in.Run != nil {
		out.Run, faults[4] = vault.NewRun(in.Run.ID, in.Run.Label)
	}
	if in.Broker != nil {
		out.Limits, faults[5] = parseLimits(*in.Broker)
	}
	if err := vault.JoinInvalid(faults[:]...); err != nil {
		return vault.LeaseRequest{}, err
	}
	return out, out.Check()
}

func redeemTicket(v *vault.Service) handler {
	return handleJSON(http.StatusOK, parseRedeem,
		func(r *request, to vault.Recipient) (wire.Lease, error) {
			out, err := v.RedeemTicket(r.Context(), r.actor, to)
			return deliveredBody(out), err
		})
}

func parseRedeem(in wire.RedeemTicket) (vault.Recipient, error) {
	return vault.NewRecipient(in.Recipient)
}

func listLeases(v *vault.Service) handler {
	return handleGet(func(r *request) (wire.LeaseList, error) {
		q := r.query("state", "secret_id", "run_id", "limit", "cursor")
		in := vault.LeaseFilter{
			Secret: q.id("secret_id"), Run: q.text("run_id"),
			Before: q.id("cursor"), Limit: q.number("limit", vault.MaxLeasePage),
		}
		state := q.text("state")
		if err := q.err(); err != nil {
			return wire.LeaseList{}, err
		}
		if state != "" {
			var err error
			if in.State, err = vault.NewLeaseState(state); err != nil {
				return wire.LeaseList{}, inQuery(err)
			}
		}
		found, next, err := v.ListLeases(r.Context(), r.actor, in)
		list := wire.LeaseList{Leases: bodiesOf(found, leaseBody)}
		if next != uuid.Nil {
			list.Next = orNull(next.String())
		}
		return list, inQuery(err)
	})
}

func getLease(v *vault.Service) handler {
	return handleGet(func(r *request) (wire.Lease, error) {
		id, err := r.pathID("lease_id")
		if err != nil {
			return wire.Lease{}, err
		}
		l, err := v.GetLease(r.Context(), r.actor, id)
		return leaseBody(l), err
	})
}

func revokeLease(v *vault.Service) handler {
	return handleGet(func(r *request) (wire.RevokedLease, error) {
		id, err := r.pathID("lease_id")
		if err != nil {
			return wire.RevokedLease{}, err
		}
		l, delivered, err := v.RevokeLease(r.Context(), r.actor, id)
		body := wire.RevokedLease{Lease: leaseBody(l), Delivered: delivered}
		body.Advice = "Nothing was handed out, and the ticket is of no use any more."
		switch {
		case l.Delivery == vault.ByBroker:
			body.Advice = "No value was handed out, and the placeholders are of no use any more."
		case delivered:
			body.Advice = "The values were handed out before, and no revocation takes them back: " +
				"rotate them at their providers, then update the secrets."
		}
		return body, err
	})
}

func getUsage(v *vault.Service) handler {
	return handleGet(func(r *request) (wire.SecretUsage, error) {
		id, err := r.pathID("secret_id")
		if err != nil {
			return wire.SecretUsage{}, err
		}
		u, err := v.SecretUsage(r.Context(), r.actor, id)
		body := wire.SecretUsage{
			SecretID: id.String(), Uses: number(u.Uses), LastUsedAt: wire.AtOrNull(u.At),
			LiveLeases: bodiesOf(u.Live, leaseBody),
		}
		if u.Lease != uuid.Nil {
			body.LastLease = &wire.LastLease{ID: u.Lease.String()}
			if u.Run != nil {
				body.LastLease.Run = runBody(*u.Run)
			}
		}
		return body, err
	})
}

func listUsage(v *vault.Service) handler {
	return handleGet(func(r *request) (wire.SecretUsageList, error) {
		all, err := v.SecretUsages(r.Context(), r.actor)
		return wire.SecretUsageList{Usage: bodiesOf(all, usageBody)}, err
	})
}

func usageBody(u vault.UsageSummary) wire.UsageSummary {
	return wire.UsageSummary{
		SecretID: u.Secret.String(), Uses: number(u.Uses), LastUsedAt: wire.AtOrNull(u.At),
		LiveLeases: u.Live,
	}
}
