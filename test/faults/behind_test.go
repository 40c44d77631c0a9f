package faults_test

import (
	"errors"
	"os"
	"syscall"
	"testing"

	"github.com/keysake/keysake/client"
	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/wire"
)

// A change that no standby has was not answered as done. If it shows all the same, a server
// remembers it, and takes the database of a standby that is promoted for an older one.
func TestAChangeThatNoStandbyHasDoesNotShow(t *testing.T) {
	t.Parallel()
	primary := startPostgres(t)
	standby, err := primary.Standby(os.TempDir())
	apptest.Must(t, err)
	t.Cleanup(func() { apptest.Must(t, standby.Stop()) })
	synchronous(t, primary)
	url := with(t, oneOf(t, primary, standby), "statement_timeout", "500")
	s := startServers(t, 1, url)[0]
	c := s.client(s.newUser("ann"))
	made, err := c.CreateSecret(t.Context(), wire.CreateSecret{Name: "A", Value: newValue()})
	apptest.Must(t, err)

	apptest.Must(t, standby.Signal(syscall.SIGSTOP))
	_, err = c.CreateSecret(t.Context(), wire.CreateSecret{Name: "B", Value: newValue()})
	if !errors.Is(err, client.ErrUnavailable) {
		t.Errorf("got %v, want a 503", err)
	}
	list, err := c.ListSecrets(t.Context())
	if err != nil || len(list.Secrets) != 1 {
		t.Errorf("%d secrets show (%v)", len(list.Secrets), err)
	}
	apptest.Must(t, primary.Kill())
	apptest.Must(t, standby.Signal(syscall.SIGCONT))
	promote(t, standby)
	eventually(t, "the server is ready", s.ready)
	if found, err := c.GetSecret(t.Context(), made.ID); err != nil || found.Name != "A" {
		t.Errorf("the secret that was answered: %v", err)
	}
	checkDatabase(t, s, url)
}
