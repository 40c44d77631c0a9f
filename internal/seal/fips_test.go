package seal_test

import (
	"crypto/fips140"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

const (
	fipsOnly       = "fips140=only"
	fipsSelfTest   = "TestTheWholeSuitePassesInStrictFIPSMode"
	fipsModeIsReal = "TestStrictFIPSModeIsOnWhereItWasAskedFor"
)

// failures finds the lines of a verbose run that tell what failed.
var failures = regexp.MustCompile(`(?m)^\s*(--- FAIL|\w+_test\.go|panic).*\n`)

// In strict mode every algorithm that FIPS 140-3 does not approve fails.
func TestTheWholeSuitePassesInStrictFIPSMode(t *testing.T) {
	if testing.Short() {
		t.Skip("runs the suite a second time")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, "-test.v", "-test.skip=^"+fipsSelfTest+"$")
	cmd.Env = append(os.Environ(), "GODEBUG="+fipsOnly)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, strings.Join(failures.FindAllString(string(out), -1), ""))
	}
	if !strings.Contains(string(out), "--- PASS: "+fipsModeIsReal) {
		t.Error("it passes, but not in strict mode")
	}
}

func TestStrictFIPSModeIsOnWhereItWasAskedFor(t *testing.T) {
	if !strings.Contains(os.Getenv("GODEBUG"), fipsOnly) {
		t.Skip("GODEBUG does not ask for it")
	}
	if !fips140.Enforced() {
		t.Error("it is not")
	}
}
