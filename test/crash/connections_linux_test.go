package crash_test

import (
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/keysake/keysake/plaintext"
)

// withFiles starts the program with a limit of open files.
func withFiles(t *testing.T, limit uint64) func(*exec.Cmd) {
	t.Helper()
	return func(cmd *exec.Cmd) {
		script := fmt.Sprintf(`ulimit -n %d; exec "$0" "$@"`, limit)
		cmd.Args = append([]string{"sh", "-c", script}, cmd.Args...)
		cmd.Path = "/bin/sh"
	}
}

// health asks on a connection of its own.
func health(t *testing.T, p *process) error {
	t.Helper()
	c := &http.Client{
		Timeout: 2 * time.Second, Transport: &http.Transport{DisableKeepAlives: true},
	}
	res, err := c.Get(p.url + "/healthz")
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return errors.New(res.Status)
	}
	return nil
}

func TestHalfSentRequestsKeepNobodyOut(t *testing.T) {
	t.Parallel()
	random := newRandom(t)
	p := launch(t, newData(t), withFiles(t, 64)).ready()
	l := newLibrary(p, "somebody")
	for i := range 200 {
		halfSent(t, p)
		if i%40 != 39 {
			continue
		}
		if err := health(t, p); err != nil {
			t.Errorf("after %d half-sent requests: %v", i+1, err)
		}
		value := plaintext.FromString(text(random, 40))
		c := p.client(l.key) // whose connection is new: one that is idle is closed for others
		if err := l.create(t.Context(), c, fmt.Sprintf("NAME_%d", i), value); err != nil {
			t.Errorf("after %d half-sent requests: %v", i+1, err)
		}
	}
	p.until("warns", func() bool {
		return strings.Contains(p.logs.String(), "level=WARN msg=\"too many connections")
	})
	checkAPI(t, p, []*library{l})
	p.stop()
	p.wantLog("connections ended without a whole request")
	if n := strings.Count(p.logs.String(), "\n"); n > 20 {
		t.Errorf("%d lines in the log", n)
	}
}
