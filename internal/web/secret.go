package web

import (
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/vault"
)

// A secretRow is a secret in the list.
type secretRow struct {
	vault.Secret

	Provider string // its name for people; empty for a custom secret
	Used     time.Time
	Live     int // leases
	Health   vault.Health
}

// listSecrets shows the secrets, those that a search finds.
func (s *site) listSecrets(w http.ResponseWriter, r *request) error {
	all, err := s.secretRows(r)
	if err != nil {
		return err
	}
	search := strings.TrimSpace(r.URL.Query().Get("q"))
	var found []secretRow
	for _, row := range all {
		if contains(search, row.Name, row.Provider) {
			found = append(found, row)
		}
	}
	return s.show(w, r, http.StatusOK, "secrets", view{
		Title: "Secrets", Here: "secrets", Data: map[string]any{
			"Secrets": found, "Total": len(all), "Max": s.Vault.MaxSecrets(), "Search": search,
		},
	})
}

// contains reports whether one of the texts has what is looked for.
func contains(search string, texts ...string) bool {
	for _, text := range texts {
		if strings.Contains(strings.ToLower(text), strings.ToLower(search)) {
			return true
		}
	}
	return false
}

func (s *site) secretRows(r *request) ([]secretRow, error) {
	ctx, who := r.Context(), r.session.Actor
	secrets, err := s.Vault.ListSecrets(ctx, who)
	if err != nil {
		return nil, err
	}
	uses, err := s.Vault.SecretUsages(ctx, who)
	if err != nil {
		return nil, err
	}
	healths, err := s.Vault.SecretHealths(ctx, who)
	if err != nil {
		return nil, err
	}
	rows := make([]secretRow, len(secrets))
	at := map[uuid.UUID]*secretRow{}
	for i, secret := range secrets {
		rows[i] = secretRow{Secret: secret, Provider: s.Vault.ProviderName(secret.Provider)}
		at[secret.ID] = &rows[i]
	}
	for _, use := range uses { // each list may be of another moment
		if row := at[use.Secret]; row != nil {
			row.Used, row.Live = use.At, use.Live
		}
	}
	for _, health := range healths {
		if row := at[health.Secret]; row != nil {
			row.Health = health
		}
	}
	return rows, nil
}

// showSecret shows all that is known of one secret.
func (s *site) showSecret(w http.ResponseWriter, r *request) error {
	v, err := s.secretView(r)
	if err != nil {
		return err
	}
	return s.show(w, r, http.StatusOK, "secret", v)
}

// auditDays is how far back a page of a secret looks.
const auditDays = 30

func (s *site) secretView(r *request) (v view, err error) {
	id, err := r.id()
	if err != nil {
		return v, err
	}
	ctx, who := r.Context(), r.session.Actor
	secret, err := s.Vault.GetSecret(ctx, who, id)
	if err != nil {
		return v, err
	}
	versions, err := s.Vault.ListVersions(ctx, who, id)
	if err != nil {
		return v, err
	}
	usage, err := s.Vault.SecretUsage(ctx, who, id)
	if err != nil {
		return v, err
	}
	health, err := s.Vault.SecretHealth(ctx, who, id)
	if err != nil {
		return v, err
	}
	runs, moreRuns, err := s.Vault.SecretRuns(ctx, who, id)
	if err != nil {
		return v, err
	}
	refusals, err := s.refusals(r, vault.BrokeredQuery{Secret: id})
	if err != nil {
		return v, err
	}
	now := time.Now()
	log, err := s.Vault.ListAudit(ctx, who, vault.AuditQuery{
		Filter: vault.AuditFilter{Secret: id, From: now.AddDate(0, 0, -auditDays)},
		Limit:  vault.MaxAuditPage,
	})
	denied := vault.KindOf(err) == vault.Denied // without the scope it is left out
	if err != nil && !denied {
		return v, err
	}
	return view{Title: secret.Name, Here: "secrets", Data: map[string]any{
		"Secret": secret, "Provider": s.Vault.ProviderName(secret.Provider),
		"Versions": versions, "Usage": usage, "Health": health,
		"Entries": s.logged(ctx, who, log),
		"Chart":   usesByDay(log, now), "More": log.Next != "", "LogDenied": denied,
		"Tag": secret.Tag(), "Expiry": newDeadlineForm(health.Deadline), "Refusals": refusals,
		"Runs": runs, "MoreRuns": moreRuns,
		"SecretNames": map[uuid.UUID]string{id: secret.Name},
	}}, nil
}
