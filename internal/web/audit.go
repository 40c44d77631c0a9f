package web

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/vault"
)

// listAudit shows a page of the audit log, newest first.
func (s *site) listAudit(w http.ResponseWriter, r *request) error {
	query := r.URL.Query()
	filter, broken := auditFilter(query)
	q := vault.AuditQuery{Filter: filter, Cursor: query.Get("cursor")}
	found := vault.AuditPage{}
	if broken == nil {
		var err error
		found, err = s.Vault.ListAudit(r.Context(), r.session.Actor, q)
		if vault.KindOf(err) == vault.Invalid {
			broken, _ = fieldsOf(err)
		} else if err != nil {
			return err
		}
	}
	older := ""
	if found.Next != "" {
		next := keep(query)
		next.Set("cursor", found.Next)
		older = "/ui/audit?" + next.Encode()
	}
	return s.show(w, r, http.StatusOK, "audit", view{
		Title: "Audit log", Here: "audit", Broken: broken, Data: map[string]any{
			"Entries": s.logged(r.Context(), r.session.Actor, found),
			"Older":   older, "Head": found.Head,
			"Action": query.Get("action"), "From": query.Get("from"), "To": query.Get("to"),
			"Run": query.Get("run"), "Filtered": filter != vault.AuditFilter{},
			"JSON": exportPath("jsonl", query), "CSV": exportPath("csv", query),
		},
	})
}

// keep returns the filter of a page, for the links to what it shows.
func keep(query url.Values) url.Values {
	kept := url.Values{}
	for _, name := range []string{"action", "secret", "lease", "run", "from", "to"} {
		if value := query.Get(name); value != "" {
			kept.Set(name, value)
		}
	}
	return kept
}

func exportPath(format string, query url.Values) string {
	q := keep(query)
	q.Set("format", format)
	return "/ui/audit/export?" + q.Encode()
}

// auditFilter reads the filter of a page. What is wrong with it is returned by field.
func auditFilter(query url.Values) (f vault.AuditFilter, broken map[string]string) {
	f.Action = strings.TrimSpace(query.Get("action"))
	f.Run = strings.TrimSpace(query.Get("run"))
	day := func(name string, after int) time.Time {
		text := query.Get(name)
		if text == "" {
			return time.Time{}
		}
		at, err := time.Parse(time.DateOnly, text)
		if err != nil {
			broken = map[string]string{name: "Give a day, such as 2026-01-31"}
			return time.Time{}
		}
		return at.AddDate(0, 0, after)
	}
	f.From, f.To = day("from", 0), day("to", 1)
	f.Lease, _ = uuid.Parse(query.Get("lease"))
	f.Secret, _ = uuid.Parse(query.Get("secret"))
	return f, broken
}
