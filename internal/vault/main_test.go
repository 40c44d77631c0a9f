package vault_test

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"github.com/keysake/keysake/internal/store/postgres/pgtest"
)

// runTwice makes the fixtures use a store that undoes the first run of each function.
var runTwice bool

// TestMain runs the suite on a store that runs each function once, then on one that undoes each
// first run and runs the function again, as a store may, then on PostgreSQL. Benchmarks run once.
func TestMain(m *testing.M) {
	fmt.Println("tests on SQLite")
	code := m.Run()
	if measured := flag.Lookup("test.bench").Value.String() != ""; code == 0 && !measured {
		runTwice = true
		_ = flag.Set("rapid.checks", "25") // each takes twice as long
		if code = m.Run(); code != 0 {
			fmt.Println("FAIL on a store that runs each function twice")
		}
		runTwice = false
		if code == 0 {
			code = pgtest.Again(m, func() {
				onPostgres = true
				_ = flag.Set("rapid.checks", "10")
			})
		}
	}
	os.Exit(code)
}
