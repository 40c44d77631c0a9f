package vault_test

import (
	"testing"

	"github.com/keysake/keysake/internal/vault"
)

// BenchmarkAFilterThatFindsNothing is of one page, which looks at 1,000 of 2,000 entries.
func BenchmarkAFilterThatFindsNothing(b *testing.B) {
	r := startRotating(b, b.TempDir())
	defer r.db.Close()
	made := r.secret(r.admin, "A", fake("0"))
	values := []vault.Value{fake("1"), fake("2")}
	for n := range 2000 {
		_, err := r.UpdateSecret(b.Context(), r.admin, made.ID, values[n%2])
		r.must(err)
	}
	query := vault.AuditQuery{Filter: vault.AuditFilter{Run: "none"}}
	for b.Loop() {
		page, err := r.ListAudit(b.Context(), r.admin, query)
		r.must(err)
		if len(page.Entries) > 0 {
			b.Fatal("it finds an entry")
		}
	}
}
