package cli_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/internal/store/postgres/pgtest"
	"github.com/keysake/keysake/wire"
)

func TestABrokerThatIsAloneEndsWhatAServerRevokesAndFinishesWhatItHas(t *testing.T) {
	t.Run("SQLite", func(t *testing.T) { testBrokerAlone(t, "") })
	t.Run("PostgreSQL", func(t *testing.T) {
		pgtest.Of(t) // or skip
		url, err := newDatabase(t.Cleanup)
		apptest.Must(t, err)
		testBrokerAlone(t, url)
	})
}

func testBrokerAlone(t *testing.T, database string) {
	t.Helper()
	s := newSite(t)
	s.env = append(s.env, "KEYSAKE_DATABASE_URL="+database, "KEYSAKE_DATABASE_CONNECTIONS=4")
	serve := []string{
		"serve", "--dev", "--data", "data", "--broker-listen", "none",
		"--listen", "127.0.0.1:0",
	}
	_, first := s.start(t, serve...)
	finish(t, first) // it made the database
	at, broker := s.start(t, append(
		[]string{
			"broker", "--data", "data", "--keys", "data/keysake.keys",
			"--broker-listen", "127.0.0.1:0",
		}, s.egress...)...)
	s.url, _ = s.start(t, append(serve, "--broker-url", at)...)
	s.set(t)

	run := func(path string) (*exec.Cmd, *bufio.Reader) {
		cmd := s.command(t, "run", "--broker", "--preset", "stripe", "--", "sh", "-c",
			`exec curl -sSN -H "Authorization: Bearer $STRIPE_API_KEY" https://api.stripe.com`+path)
		out, err := cmd.StdoutPipe()
		apptest.Must(t, err)
		apptest.Must(t, cmd.Start())
		from := bufio.NewReader(out)
		if line, err := from.ReadString('\n'); err != nil || line != "begun\n" {
			t.Fatalf("%q: %v", line, err)
		}
		return cmd, from
	}
	cmd, from := run("/v1/stream")
	lease := s.leases(t, "?state=active").Leases[0].ID
	if code, _, errs := outcome(s.command(t, "lease", "revoke", lease)); code != 0 {
		t.Fatal(errs)
	}
	if rest, err := io.ReadAll(from); err != nil || len(rest) > 0 {
		t.Errorf("%q: %v", rest, err)
	}
	if err := cmd.Wait(); err == nil {
		t.Error("a stream ends well though its lease was revoked")
	}

	cmd, from = run("/v1/slow")
	lease = s.leases(t, "?state=active").Leases[0].ID
	apptest.Must(t, broker.Process.Signal(syscall.SIGTERM))
	close(s.release)
	if rest, err := io.ReadAll(from); err != nil || string(rest) != "ended\n" {
		t.Errorf("%q: %v", rest, err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("a request that was under way: %v", err)
	}
	if err := broker.Wait(); err != nil {
		t.Error(err)
	}
	var recorded wire.BrokeredRequestList
	s.get(t, "/user/leases/"+lease+"/requests", &recorded)
	if len(recorded.Requests) != 1 || recorded.Requests[0].Status != http.StatusOK ||
		recorded.Requests[0].Host != "api.stripe.com" {
		t.Errorf("recorded is %+v", recorded)
	}
}

func TestABrokerThatIsAloneNeedsAnAddressAndADatabase(t *testing.T) {
	s := newSite(t)
	for args, want := range map[string]string{
		"--data data":                             "2 keysake: --broker-listen is missing",
		"--data data --broker-listen none":        "2 keysake: --broker-listen is missing",
		"--data data --broker-listen :1":          "2 keysake: --broker-listen :1 would send placeholders",
		"--data data --broker-listen 127.0.0.1:0": "3 keysake: cannot start: data has no database",
	} {
		cmd := s.command(t, append([]string{"broker"}, strings.Fields(args)...)...)
		code, out, errs := outcome(cmd)
		if got := fmt.Sprint(code, " ", errs); !strings.HasPrefix(got, want) || out != "" {
			t.Errorf("%s: %s", args, got)
		}
	}
}

func (s *site) leases(t *testing.T, query string) (list wire.LeaseList) {
	t.Helper()
	s.get(t, "/user/leases"+query, &list)
	return list
}

// get asks the API for something.
func (s *site) get(t *testing.T, path string, out any) {
	t.Helper()
	key, err := os.ReadFile(filepath.Join(s.dir, "data", "dev-api-key"))
	apptest.Must(t, err)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/api/v1"+path, nil)
	apptest.Must(t, err)
	r.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(key)))
	resp, err := (&http.Client{Timeout: 30 * time.Second}).Do(r)
	apptest.Must(t, err)
	defer resp.Body.Close()
	apptest.Must(t, json.NewDecoder(resp.Body).Decode(out))
}
