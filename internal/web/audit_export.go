package web

import (
	"encoding/csv"
	"encoding/hex"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/api"
	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/vault"
)

// exportAudit sends the entries that a filter finds as a file, newest first. They are read and
// verified in parts, each of which is sent before the next is read. A download that cannot be
// finished is cut off, which browsers show as failed.
func (s *site) exportAudit(w http.ResponseWriter, r *request) error {
	query := r.URL.Query()
	filter, broken := auditFilter(query)
	kind, known := exports()[query.Get("format")]
	if broken != nil || !known {
		return badForm(nil)
	}
	q := vault.AuditQuery{Filter: filter, Limit: vault.MaxAuditPage}
	page, err := s.Vault.ListAudit(r.Context(), r.session.Actor, q)
	if err != nil {
		return err
	}
	name := "keysake-audit-" + time.Now().UTC().Format("2006-01-02T150405Z") + kind.extension
	w.Header().Set("Content-Type", kind.contentType)
	w.Header().Set("Content-Disposition", `attachment; filename="`+name+`"`)
	write := kind.writer(w)
	for first := true; ; first = false {
		if err := write(page, first); err != nil {
			panic(http.ErrAbortHandler)
		}
		if page.Next == "" {
			return nil
		}
		_ = http.NewResponseController(w).Flush()
		q.Cursor = page.Next
		if page, err = s.Vault.ListAudit(r.Context(), r.session.Actor, q); err != nil {
			panic(http.ErrAbortHandler)
		}
	}
}

// An export is a kind of file.
type export struct {
	contentType, extension string
	// writer returns what writes a part of the log: the first part with what a file begins with.
	writer func(io.Writer) func(part vault.AuditPage, first bool) error
}

func exports() map[string]export {
	return map[string]export{
		"jsonl": {"application/jsonl", ".jsonl", writeJSONLines},
		"csv":   {"text/csv; charset=utf-8; header=present", ".csv", writeCSV},
	}
}

// writeJSONLines writes entries as the API shows them, one a line.
func writeJSONLines(w io.Writer) func(vault.AuditPage, bool) error {
	return func(part vault.AuditPage, _ bool) error {
		for _, e := range part.Entries {
			if _, err := w.Write(append(api.AuditLine(e, part.Names), '\n')); err != nil {
				return err
			}
		}
		return nil
	}
}

// writeCSV writes entries for a program of tables.
func writeCSV(w io.Writer) func(vault.AuditPage, bool) error {
	out := csv.NewWriter(w)
	return func(part vault.AuditPage, first bool) error {
		if first {
			_ = out.Write([]string{ // Flush has the error
				"seq", "at", "action", "outcome", "target_kind", "target_id", "target_name",
				"target_version", "credential_kind", "credential_id", "client", "lease_id", "run",
				"user_id", "on_behalf_of", "username", "for_username", "hash",
			})
		}
		for _, e := range part.Entries {
			_ = out.Write(csvRow(e, part.Names))
		}
		out.Flush()
		return out.Error()
	}
}

func csvRow(e audit.Linked, names map[uuid.UUID]string) []string {
	name := func(id uuid.UUID) string {
		if e.OnBehalfOf == uuid.Nil {
			return ""
		}
		return names[id]
	}
	id := func(id uuid.UUID) string {
		if id == uuid.Nil {
			return ""
		}
		return id.String()
	}
	version := ""
	if e.Target.Version > 0 {
		version = strconv.FormatUint(e.Target.Version, 10)
	}
	row := []string{
		strconv.FormatUint(e.Seq, 10), e.At.UTC().Format(time.RFC3339Nano), e.Action,
		string(e.Outcome), string(e.Target.Kind), id(e.Target.ID), e.Target.Name, version,
		string(e.Credential.Kind), id(e.Credential.ID), audit.AddrText(e.Client), id(e.Lease),
		e.Run, id(e.User), id(e.OnBehalfOf), name(e.User), name(e.OnBehalfOf),
		hex.EncodeToString(e.Hash[:]),
	}
	for i, cell := range row {
		row[i] = noFormula(cell)
	}
	return row
}

// noFormula returns a cell that no program of tables takes for a formula: it has a quote before
// what would begin one.
func noFormula(cell string) string {
	if cell != "" && strings.ContainsAny(cell[:1], "=+-@\t\r\n") ||
		strings.HasPrefix(cell, "＝") || strings.HasPrefix(cell, "＋") ||
		strings.HasPrefix(cell, "－") || strings.HasPrefix(cell, "＠") {
		return "'" + cell
	}
	return cell
}
