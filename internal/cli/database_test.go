package cli_test

import (
	"flag"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/internal/store/postgres/pgtest"
)

// onBoth runs the tests, and then those that started a server once more, on PostgreSQL. The scripts
// see to that themselves, and most of the other tests have no server or one of their own.
type onBoth struct{ *testing.M }

func (m onBoth) Run() int {
	var mu sync.Mutex
	started := map[string]bool{}
	apptest.Database = func(tb testing.TB) (file string) {
		tb.Helper()
		name, _, _ := strings.Cut(tb.Name(), "/")
		mu.Lock()
		defer mu.Unlock()
		started[name] = true
		return ""
	}
	code := m.M.Run()
	if code != 0 || len(started) == 0 {
		return code
	}
	return pgtest.Again(m.M, func() {
		apptest.Database = pgtest.Migrated.Copy
		names := slices.Sorted(maps.Keys(started))
		_ = flag.Set("test.run", "^("+strings.Join(names, "|")+")$") // it is any expression
	})
}
