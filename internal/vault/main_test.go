package vault_test

import (
	"flag"
	"fmt"
	"os"
	"testing"
)

// runTwice makes the fixtures use a store that undoes the first run of each function.
var runTwice bool

// TestMain runs the suite on a store that runs each function once, then on one that undoes each
// first run and runs the function again, as a store may. Benchmarks run once.
func TestMain(m *testing.M) {
	code := m.Run()
	if measured := flag.Lookup("test.bench").Value.String() != ""; code == 0 && !measured {
		runTwice = true
		_ = flag.Set("rapid.checks", "25") // each takes twice as long
		if code = m.Run(); code != 0 {
			fmt.Println("FAIL on a store that runs each function twice")
		}
	}
	os.Exit(code)
}
