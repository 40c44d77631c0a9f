package cli_test

import (
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/keysake/keysake/internal/apptest"
)

func TestACommandThatASignalEndsHasTheExitCodeOfAShell(t *testing.T) {
	asked := make(chan struct{}, 1)
	env := at(t, func(_ http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		<-r.Context().Done()
	})
	path, err := os.Executable()
	apptest.Must(t, err)
	for _, c := range []struct {
		signal syscall.Signal
		code   int
		said   string
	}{
		{syscall.SIGINT, 130, "keysake: interrupted\n"},
		{syscall.SIGTERM, 143, "keysake: ended by SIGTERM\n"},
	} {
		cmd := exec.Command(path, "secrets", "list")
		cmd.Args[0] = "keysake" // makes the test's binary run the program
		for name, value := range env {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
		var errs strings.Builder
		cmd.Stderr = &errs
		apptest.Must(t, cmd.Start())
		select {
		case <-asked:
		case <-time.After(timeout):
			t.Fatal("the program does not ask")
		}
		_ = cmd.Process.Signal(c.signal)
		_ = cmd.Wait()
		if code := cmd.ProcessState.ExitCode(); code != c.code || errs.String() != c.said {
			t.Errorf("%v: exit code %d and %q", c.signal, code, errs.String())
		}
	}
}
