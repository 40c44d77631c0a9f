package store_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/keysake/keysake/internal/store"
	"github.com/keysake/keysake/internal/store/storetest"
)

// sealedTables returns the tables that have a sealed or wrapped column.
func sealedTables(t *testing.T) (tables []string) {
	t.Helper()
	migrations, err := store.Migrations()
	if err != nil {
		t.Fatal(err)
	}
	schema := strings.Join(migrations[0].Statements, "\n")
	table := regexp.MustCompile(`(?s)CREATE TABLE (\w+) \((.*?)\n\)`)
	for _, m := range table.FindAllStringSubmatch(schema, -1) {
		if regexp.MustCompile(`\n\t(sealed_\w+|wrapped)\s`).MatchString(m[2]) {
			tables = append(tables, m[1])
		}
	}
	return tables
}

func TestWhatRemovesSealedDataErasesIt(t *testing.T) {
	t.Parallel()
	tables := sealedTables(t)
	if len(tables) < 3 {
		t.Fatalf("only %q have sealed columns: this shows nothing", tables)
	}
	removes := regexp.MustCompile(`(?i)\b(DELETE\s+FROM|REPLACE\s+INTO|UPDATE)\s+(` +
		strings.Join(tables, "|") + `)\b|\bINTO\s+(` + strings.Join(tables, "|") +
		`)\b(?s:.*)\bDO\s+UPDATE\b`)
	found := map[string]bool{}
	for _, s := range storetest.Statements() {
		table := removes.FindStringSubmatch(s.SQL)
		switch {
		case table == nil && s.Erasure != 0:
			t.Errorf("%s erases what is not sealed: %s", s.Method, s.SQL)
		case table != nil && s.Erasure == 0:
			t.Errorf("%s removes sealed data without Erase: %s", s.Method, s.SQL)
		case table != nil:
			found[table[2]] = true
		}
	}
	for _, table := range tables {
		if !found[table] {
			t.Errorf("no statement removes data from %s: the search misses it", table)
		}
	}
}

func TestOnlyLedgersAreLocked(t *testing.T) {
	t.Parallel()
	var locking []string
	for _, s := range storetest.Statements() {
		if strings.HasSuffix(s.SQL, " FOR UPDATE") {
			locking = append(locking, s.Method)
		}
	}
	if want := []string{"LockInstance", "LockLedger"}; !slices.Equal(locking, want) {
		t.Errorf("%q lock, want %q", locking, want)
	}
}
