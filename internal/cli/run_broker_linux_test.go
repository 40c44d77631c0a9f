package cli_test

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keysake/keysake/bundle"
	"github.com/keysake/keysake/wire"
)

// A brokerSide is what a server has of its broker.
type brokerSide struct {
	revoked   int // leases
	atBroker  []string
	limits    *wire.BrokerLimits // of the last lease
	authority []byte             // of the proxy
}

// asBroker notes a request to the broker, and reports whether it is one.
func (s *leaseServer) asBroker(w http.ResponseWriter, r *http.Request) bool {
	if r.URL.Path == "/-/ca.pem" {
		_, _ = w.Write(s.authority)
		return true
	}
	isBrokers := strings.HasPrefix(r.URL.Path, "/broker/")
	if isBrokers {
		s.atBroker = append(s.atBroker,
			r.Method+" "+r.RequestURI+" "+r.Header.Get("Authorization"))
	}
	return isBrokers
}

// placeholderOf is what stands for a secret in these tests.
func placeholderOf(name string) string { return "placeholder-of-" + name }

// brokered is a lease for the broker, which this server plays, too.
func (s *leaseServer) brokered(ids []string) wire.Lease {
	made := wire.Lease{
		ID: idOf("lease").String(), Delivery: wire.DeliveryBroker, State: wire.LeaseActive,
		Broker: &wire.LeaseBroker{URL: s.URL + "/broker"},
	}
	for name := range s.values {
		if !slices.Contains(ids, idOf(name).String()) {
			continue
		}
		secret := wire.BrokeredSecret{
			SecretID: idOf(name).String(), Name: name, Provider: "other",
			Placeholder: placeholderOf(name),
		}
		switch name {
		case "OPENAI_API_KEY":
			secret.Provider = "openai"
			secret.BaseURLs = []wire.BrokerVariable{
				{Name: "OPENAI_BASE_URL", Path: "/openai/v1", Scheme: "any"},
				{Name: "NEEDS_TLS", Path: "/openai/v1", Scheme: "https_only"},
			}
			secret.Unset = []string{"OTHER_KEY"}
		case "GITHUB_TOKEN":
			secret.Provider = "github"
			secret.GH = []string{"api.github.com"}
			secret.Git = []wire.BrokerGit{{
				URL: "https://github.com/", Path: "/github/@github.com/", User: "x-access-token",
			}}
		}
		made.Broker.Secrets = append(made.Broker.Secrets, secret)
	}
	slices.SortFunc(made.Broker.Secrets, func(a, b wire.BrokeredSecret) int {
		return strings.Compare(a.Name, b.Name)
	})
	s.lie(&made, nil)
	return made
}

func TestARunAtTheBrokerGetsPlaceholdersAndNoValue(t *testing.T) {
	s := serveLeases(t, map[string]string{
		"OPENAI_API_KEY": "value-of-openai", "GITHUB_TOKEN": "value-of-github",
	})
	env := s.environment(t, func(cmd *exec.Cmd) {
		cmd.Env = append(cmd.Env, "OPENAI_BASE_URL=http://elsewhere.example", "OTHER_KEY=x",
			"NO_PROXY=internal.example", "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=a.b",
			"GIT_CONFIG_VALUE_0=c", "XDG_RUNTIME_DIR="+os.TempDir())
	}, "--broker", "--all", "--keep-existing")
	for name, value := range env {
		if strings.Contains(value, "value-of") {
			t.Errorf("%s has a value", name)
		}
	}
	relay, _, _ := strings.Cut(strings.TrimPrefix(env["OPENAI_BASE_URL"], "http://"), "/")
	dir, socket := filepath.Split(env["GH_CONFIG_DIR"])
	if !strings.HasPrefix(relay, "127.0.0.1:") || socket != "gh" {
		t.Errorf("the relay is at %s, gh is told in %s", relay, env["GH_CONFIG_DIR"])
	}
	const login = "eC1hY2Nlc3MtdG9rZW46cGxhY2Vob2xkZXItb2YtR0lUSFVCX1RPS0VO"
	base := "http://" + relay + "/github/@github.com/"
	want := map[string]string{
		"OPENAI_API_KEY":     placeholderOf("OPENAI_API_KEY"),
		"GITHUB_TOKEN":       placeholderOf("GITHUB_TOKEN"),
		"GH_TOKEN":           placeholderOf("GITHUB_TOKEN"),
		"OPENAI_BASE_URL":    "http://" + relay + "/openai/v1",
		"NO_PROXY":           "internal.example,127.0.0.1,localhost",
		"no_proxy":           "127.0.0.1,localhost",
		"GIT_CONFIG_COUNT":   "3",
		"GIT_CONFIG_KEY_0":   "a.b",
		"GIT_CONFIG_VALUE_0": "c",
		"GIT_CONFIG_KEY_1":   "url." + base + ".insteadOf",
		"GIT_CONFIG_VALUE_1": "https://github.com/",
		"GIT_CONFIG_KEY_2":   "http." + base + ".extraHeader",
		"GIT_CONFIG_VALUE_2": "Authorization: Basic " + login,
		"GH_CONFIG_DIR":      dir + socket,
		"KEYSAKE_URL":        s.URL,
		"OUTSIDE":            "yes",
	}
	for _, name := range []string{"PATH", "HOME", "XDG_RUNTIME_DIR"} {
		delete(env, name)
	}
	if diff := cmp.Diff(want, env); diff != "" {
		t.Error(diff)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("the folder of the run is left: %v", err)
	}
	if s.leases != 1 || s.revoked != 1 {
		t.Errorf("%d leases were taken, %d have ended", s.leases, s.revoked)
	}
}

func TestARunAtTheBrokerReachesItAndEndsItsLeaseHoweverItEnds(t *testing.T) {
	s := serveLeases(t, map[string]string{
		"OPENAI_API_KEY": "value-of-openai", "GITHUB_TOKEN": "value-of-github",
	})
	for script, want := range map[string]int{
		`curl -sS -H "Authorization: Bearer $OPENAI_API_KEY" "$OPENAI_BASE_URL/models?a=%2F"`: 0,
		`curl -sS --unix-socket "$(sed -n 's/^http_unix_socket: "\(.*\)"$/\1/p' \
			$GH_CONFIG_DIR/config.yml)" -H "Authorization: token $GH_TOKEN" \
			http://api.github.com/user; exit 7`: 7,
		`kill -KILL $$`: 137,
	} {
		s.change(func() { s.atBroker, s.revoked = nil, 0 })
		cmd := s.keysake(t, "run", "--broker", "--all", "--", "sh", "-c", script)
		code, out, errs := outcome(cmd)
		if code != want && code != -1 || out != "" || errs != "" || s.revoked != 1 {
			t.Errorf("%s: exit code %d, %q and %q; %d leases ended", script, code, out, errs,
				s.revoked)
		}
		switch {
		case strings.Contains(script, "models"):
			assertBrokered(t, s, "GET /broker/openai/v1/models?a=%2F Bearer "+
				placeholderOf("OPENAI_API_KEY"))
		case strings.Contains(script, "user"):
			assertBrokered(t, s, "GET /broker/github/@api.github.com/user token "+
				placeholderOf("GITHUB_TOKEN"))
		}
	}
}

func assertBrokered(t *testing.T, s *leaseServer, want string) {
	t.Helper()
	if diff := cmp.Diff([]string{want}, s.atBroker); diff != "" {
		t.Error(diff)
	}
}

// baseURL adds a variable that the command would get.
func baseURL(name, path string) func(*wire.Lease) {
	return func(l *wire.Lease) {
		l.Broker.Secrets[0].BaseURLs = []wire.BrokerVariable{
			{Name: name, Path: path, Scheme: "any"},
		}
	}
}

func TestAServerWhoseBrokerIsNotSafeStartsNoRun(t *testing.T) {
	for name, lie := range map[string]func(*wire.Lease){
		"no broker":           func(l *wire.Lease) { l.Broker = nil },
		"no address":          func(l *wire.Lease) { l.Broker.URL = "" },
		"an address in clear": func(l *wire.Lease) { l.Broker.URL = "http://broker.example.org" },
		"one secret fewer":    func(l *wire.Lease) { l.Broker.Secrets = nil },
		"another name":        func(l *wire.Lease) { l.Broker.Secrets[0].Name = "OTHER" },
		"no placeholder":      func(l *wire.Lease) { l.Broker.Secrets[0].Placeholder = "" },
		"a variable of bash":  baseURL("BASH_ENV=$(touch started)#", ""),
		"a command of git":    baseURL("GIT_SSH_COMMAND", "/x"),
		"a command as a path": baseURL("ONE_BASE_URL", ";touch started;"),
		"a proxy":             baseURL("https_proxy", ""),
		"roots":               baseURL("NODE_EXTRA_CA_CERTS", ""),
		"no proxy any more":   func(l *wire.Lease) { l.Broker.Secrets[0].Unset = []string{"HTTPS_PROXY"} },
		"all of git": func(l *wire.Lease) {
			l.Broker.Secrets[0].Git = []wire.BrokerGit{{Path: "/x/", User: "x"}}
		},
		"git of another provider": func(l *wire.Lease) {
			l.Broker.Secrets[0].Git = []wire.BrokerGit{
				{URL: "https://github.com/", Path: "/x/", User: "x"},
			}
		},
		"gh of another provider": func(l *wire.Lease) {
			l.Broker.Secrets[0].GH = []string{"api.github.com"}
		},
	} {
		s := serveLeases(t, map[string]string{"ONE": "value-of-one"})
		s.change(func() { s.lie = func(l *wire.Lease, _ *bundle.Payload) { lie(l) } })
		cmd := s.keysake(t, "run", "--broker", "--all", "--", "touch", "started")
		code, out, errs := outcome(cmd)
		_, failed := os.Stat(filepath.Join(cmd.Dir, "started"))
		if code != 1 || out != "" || failed == nil || strings.Count(errs, "\n") != 1 ||
			s.revoked != 1 {
			t.Errorf("%s: exit code %d, %q and %q; %d leases ended", name, code, out, errs,
				s.revoked)
		}
	}
	s := serveLeases(t, map[string]string{"ONE": "value-of-one"})
	cmd := s.keysake(t, "run", "--broker", "--all", "--", "true")
	cmd.Env = append(cmd.Env, "GIT_CONFIG_COUNT=many")
	if code, _, errs := outcome(cmd); code != 1 || !strings.Contains(errs, "GIT_CONFIG_COUNT") {
		t.Errorf("exit code %d and %q", code, errs)
	}
}
