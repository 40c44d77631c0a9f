package faults_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/keysake/keysake/internal/apptest"
)

// aheadVariable says by how many seconds the clock of a program that buildAhead built is ahead.
const aheadVariable = "CLOCK_AHEAD"

// programAhead returns a program like that of the other tests, whose clock can be ahead.
var programAhead = sync.OnceValues(func() (string, error) {
	path := program + "-ahead"
	return path, buildAhead(path)
})

// buildAhead builds the program with another time.Now. Nothing that is set from outside can change
// the clock of a program in Go alone, which asks the kernel without a library; and nobody shall be
// able to, where it matters: the program that is for use has no such switch.
func buildAhead(path string) error {
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return err
	}
	original := filepath.Join(strings.TrimSpace(string(root)), "src", "time", "time.go")
	text, err := os.ReadFile(original)
	if err != nil {
		return err
	}
	changed := string(text)
	for old, with := range map[string]string{
		"import (\n":                      "import (\n\t\"syscall\"\n",
		"sec += unixToInternal - minWall": "sec += unixToInternal - minWall + clockAhead",
	} {
		if n := strings.Count(changed, old); n != 1 {
			return fmt.Errorf("%s has %q %d times: the clock cannot be changed", original, old, n)
		}
		changed = strings.Replace(changed, old, with, 1)
	}
	changed += `
var clockAhead = func() (seconds int64) {
	text, _ := syscall.Getenv("` + aheadVariable + `")
	for _, digit := range []byte(text) {
		seconds = 10*seconds + int64(digit-'0')
	}
	return seconds
}()
`
	replacement, list := path+".time.go", path+".json"
	overlay, err := json.Marshal(map[string]any{
		"Replace": map[string]string{original: replacement},
	})
	if err == nil {
		err = os.WriteFile(replacement, []byte(changed), 0o600)
	}
	if err == nil {
		err = os.WriteFile(list, overlay, 0o600)
	}
	if err == nil {
		err = build(path, "-overlay", list)
	}
	return err
}

// setClock starts the server again, with a clock that is ahead of this machine's.
func (p *process) setClock(ahead time.Duration) {
	p.t.Helper()
	var err error
	p.binary, err = programAhead()
	apptest.Must(p.t, err)
	p.kill()
	p.ahead = ahead.Truncate(time.Second)
	p.start()
}

// now returns the time by the server's clock.
func (p *process) now() time.Time { return time.Now().Add(p.ahead) }
