package web

import (
	"net/http"
	"net/url"
	"slices"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/vault"
)

// listLeases shows the leases, newest first, those that are disputed before all.
func (s *site) listLeases(w http.ResponseWriter, r *request) error {
	filter, broken := leaseFilter(r.URL.Query())
	var leases []vault.Lease
	var next uuid.UUID
	if broken == nil {
		var err error
		leases, next, err = s.Vault.ListLeases(r.Context(), r.session.Actor, filter)
		if err != nil {
			return err
		}
	}
	disputed, _, err := s.Vault.ListLeases(r.Context(), r.session.Actor,
		vault.LeaseFilter{State: vault.LeaseDisputed, Limit: 5})
	if err != nil {
		return err
	}
	older := ""
	if next != uuid.Nil {
		query := r.URL.Query()
		query.Set("before", next.String())
		older = "/ui/leases?" + query.Encode()
	}
	return s.show(w, r, http.StatusOK, "leases", view{
		Title: "Leases", Here: "leases", Broken: broken, Data: map[string]any{
			"Leases": leases, "Older": older, "Disputed": disputed,
			"State": r.URL.Query().Get("state"), "Filtered": filter.State != "",
		},
	})
}

// leaseFilter reads the filter of a page. What is wrong with it is returned by field.
func leaseFilter(query url.Values) (f vault.LeaseFilter, broken map[string]string) {
	if text := query.Get("state"); text != "" {
		state, err := vault.NewLeaseState(text)
		if err != nil {
			broken, _ = fieldsOf(err)
		}
		f.State = state
	}
	f.Before, _ = uuid.Parse(query.Get("before"))
	return f, broken
}

// showLease shows one lease: what it grants, what was asked with it, and what the audit log says.
func (s *site) showLease(w http.ResponseWriter, r *request) error {
	id, err := r.id()
	if err != nil {
		return err
	}
	ctx, who := r.Context(), r.session.Actor
	lease, err := s.Vault.GetLease(ctx, who, id)
	if err != nil {
		return err
	}
	var requests []vault.BrokeredRequest
	var refusals []refusal
	if lease.Delivery == vault.ByBroker {
		requests, err = s.Vault.ListBrokered(ctx, who, vault.BrokeredQuery{Lease: id})
		if err != nil {
			return err
		}
		slices.Reverse(requests) // the newest first
		if refusals, err = s.refusals(r, vault.BrokeredQuery{Lease: id}); err != nil {
			return err
		}
	}
	log, err := s.Vault.ListAudit(ctx, who, vault.AuditQuery{
		Filter: vault.AuditFilter{Lease: id, From: lease.CreatedAt}, Limit: vault.MaxAuditPage,
	})
	denied := vault.KindOf(err) == vault.Denied // without the scope it is left out
	if err != nil && !denied {
		return err
	}
	return s.show(w, r, http.StatusOK, "lease", view{
		Title: "Lease", Here: "leases", Data: map[string]any{
			"Lease": lease, "Requests": requestRows(requests, lease), "Refusals": refusals,
			"Entries":   s.logged(ctx, who, log),
			"LogDenied": denied, "SecretNames": secretNames(lease),
		},
	})
}

func (s *site) revokeLease(w http.ResponseWriter, r *request) error {
	id, err := r.id()
	if err != nil {
		return err
	}
	_, delivered, err := s.Vault.RevokeLease(r.Context(), r.session.Actor, id)
	if err != nil {
		return err
	}
	done := "revoked"
	if delivered {
		done = "revoked-late"
	}
	if secret, err := uuid.Parse(r.PostForm.Get("secret")); err == nil {
		return seeOther(w, r, "/ui/secrets/"+secret.String()+"?done="+done)
	}
	return seeOther(w, r, "/ui/leases/"+id.String()+"?done="+done)
}
