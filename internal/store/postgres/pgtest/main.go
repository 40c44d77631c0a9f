package pgtest

import (
	"fmt"
	"os"
	"testing"
)

// Main is for the TestMain of a package whose tests run on both databases: it runs them on SQLite,
// and again after onPostgres was called, which makes them use databases of this package. The lines
// that it prints tell test/tally which tests ran on what.
func Main(m *testing.M, onPostgres func()) int {
	fmt.Println("tests on SQLite")
	if code := m.Run(); code != 0 {
		return code
	}
	return Again(m, onPostgres)
}

// Again is the second half of [Main]. Without PostgreSQL's programs it does nothing, and fails
// where CI is set.
func Again(m *testing.M, onPostgres func()) int {
	if err := Installed(); err != nil {
		fmt.Println("no tests on PostgreSQL:", err)
		if os.Getenv("CI") != "" {
			return 1
		}
		return 0
	}
	onPostgres()
	fmt.Println("tests on PostgreSQL")
	code := m.Run()
	if code != 0 {
		fmt.Println("FAIL on PostgreSQL")
	}
	return code
}
