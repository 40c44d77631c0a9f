package clients_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cgi"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keysake/keysake/internal/apptest"
)

// serveGitHub answers as GitHub does, on its hosts for the API and for git. It has one repository,
// o/r, and whoever has the key may write to it.
func serveGitHub(t *testing.T, key *atomic.Pointer[string]) http.HandlerFunc {
	t.Helper()
	root := t.TempDir()
	path, err := exec.CommandContext(t.Context(), "git", "--exec-path").Output()
	apptest.Must(t, err)
	git(t, root, "init", "--bare", "o/r.git")
	backend := &cgi.Handler{
		Path:   filepath.Join(strings.TrimSpace(string(path)), "git-http-backend"),
		Stderr: io.Discard,
		Env: []string{
			"GIT_PROJECT_ROOT=" + root, "GIT_HTTP_EXPORT_ALL=1", "REMOTE_USER=octo",
		},
	}
	var busy atomic.Bool
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Host == "github.com" {
			if _, password, _ := r.BasicAuth(); password != *key.Load() {
				w.Header().Set("WWW-Authenticate", "Basic")
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			backend.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		status, text := http.StatusOK, ""
		switch r.URL.Path {
		case "/user":
			text = `{"login":"octo"}`
		case "/repos/o/r/issues":
			status, text = http.StatusCreated, `{"title":"hello"}`
		case "/graphql":
			text = `{"data":{"viewer":{"login":"octo"},"repository":{"id":"1","name":"r",` +
				`"owner":{"login":"o"},"hasWikiEnabled":false,"viewerPermission":"WRITE",` +
				`"defaultBranchRef":{"name":"main"}}}}`
		case "/repos/o/busy":
			status, text = http.StatusInternalServerError, `{"message":"Busy"}`
			if busy.Swap(true) {
				status, text = http.StatusOK, `{"name":"busy"}`
			}
		default:
			status, text = http.StatusNotFound, `{"message":"Not Found"}`
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, text)
	}
}

// git runs git outside of any lease, with nobody's settings.
func git(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", args...)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "GIT_CONFIG_NOSYSTEM=1"}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %s: %v\n%s", args, err, out)
	}
	return string(out)
}

// newGitHub starts a server before GitHub, and returns the key that it has.
func newGitHub(t *testing.T) (*lab, string) {
	t.Helper()
	var stored atomic.Pointer[string]
	l := newLab(t, serveGitHub(t, &stored))
	key := l.store("github")
	stored.Store(&key)
	return l, key
}

// gitHubKey is the credential of a request to either of GitHub's hosts.
func gitHubKey(a arrived) string {
	if a.host != "github.com" {
		return bearer(a)
	}
	user, password, _ := strings.Cut(decoded(a.header.Get("Authorization")), ":")
	if user != "x-access-token" {
		return ""
	}
	return password
}

func TestClientsOfGitHubWorkWithoutAKeyAsTheyDoWithOne(t *testing.T) {
	t.Parallel()
	refusals := func(name string) []step {
		return []step{
			{Step: "missing", Error: name, Status: 404, Calls: 1},
			{Step: "unlisted", Error: name, Status: 403, Rule: "host", Calls: 1},
			{Step: "another key", Error: name, Status: 403, Rule: "other", Calls: 1},
		}
	}
	for name, c := range map[string]struct {
		client func(*testing.T, string) []string
		file   string
		want   []step
	}{
		"Octokit": {node, "octokit", append([]step{
			{Step: "environment"},
			{Step: "user", Text: "octo"},
			{Step: "user by @octokit/action", Text: "octo"},
			{Step: "issue", Text: "hello"},
			{Step: "graphql", Text: "octo"},
			{Step: "busy", Text: "busy", Calls: 2},
		}, refusals("RequestError")...)},
		"go-github": {program, "github", append([]step{
			{Step: "environment"},
			{Step: "user", Text: "octo"},
			{Step: "issue", Text: "hello"},
		}, refusals("*github.ErrorResponse")...)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			command := c.client(t, c.file)
			l, key := newGitHub(t)
			if diff := cmp.Diff(c.want, l.steps("github", key, command...)); diff != "" {
				t.Error(diff)
			}
			l.assertKeys(l.requests(), key, gitHubKey)
		})
	}
}

// noProxy returns settings of a proxy that fails the test if anybody asks it: what leads to the
// broker is on this machine.
func noProxy(t *testing.T) []string {
	t.Helper()
	proxy, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	apptest.Must(t, err)
	t.Cleanup(func() { _ = proxy.Close() })
	go func() {
		if conn, err := proxy.Accept(); err == nil {
			_ = conn.Close()
			t.Error("a proxy was asked")
		}
	}()
	var env []string
	for _, name := range []string{"http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"} {
		env = append(env, name+"=http://"+proxy.Addr().String())
	}
	return append(env, "NO_PROXY=internal.example", "no_proxy=internal.example")
}

func TestGHWorksWithoutAKeyAndWithItsOwnSettings(t *testing.T) {
	t.Parallel()
	l, key := newGitHub(t)
	own := t.TempDir()
	for name, text := range map[string]string{
		"config.yml": "git_protocol: https\naliases:\n    me: api user --jq .login\n",
		"hosts.yml":  "github.com:\n    oauth_token: another\n    user: another\n",
	} {
		apptest.Must(t, os.WriteFile(filepath.Join(own, name), []byte(text), 0o600))
	}
	settings := append(noProxy(t), "GH_CONFIG_DIR="+own, "GH_NO_UPDATE_NOTIFIER=1",
		"GH_PROMPT_DISABLED=1", "GIT_TERMINAL_PROMPT=0")
	run := func(args ...string) string {
		out, errs, code := l.run([]string{"github"}, func(cmd *exec.Cmd) {
			cmd.Env = append(cmd.Env, settings...)
		}, append([]string{"gh"}, args...)...)
		return fmt.Sprintf("%d %s%s", code, out, errs)
	}
	for _, c := range []struct{ args, want string }{
		{"me", "0 octo\n"},
		{"api repos/o/r/issues -f title=hello --jq .title", "0 hello\n"},
		{"api graphql -f query={viewer{login}} --jq .data.viewer.login", "0 octo\n"},
		{"api repos/o/missing --silent", "1 gh: Not Found (HTTP 404)\n"},
		{"api user/../emails --silent", "1 gh: Keysake: "},
		{"repo clone o/r", "0 Cloning into 'r'...\nwarning: You appear to have cloned an empty repository.\n"},
	} {
		if got := run(strings.Fields(c.args)...); !strings.HasPrefix(got, c.want) {
			t.Errorf("gh %s: %s", c.args, got)
		}
	}
	got := l.requests()
	l.assertKeys(got, key, gitHubKey)
	hosts := map[string]bool{}
	for _, a := range got {
		hosts[a.host] = true
	}
	if !hosts["api.github.com"] || !hosts["github.com"] {
		t.Errorf("asked: %v", got)
	}
}

func TestGitClonesAndPushesWithoutAKeyAndWithItsOwnSettings(t *testing.T) {
	t.Parallel()
	l, key := newGitHub(t)
	work := t.TempDir()
	settings := append(noProxy(t), "GIT_TERMINAL_PROMPT=0", "GIT_CONFIG_COUNT=2",
		"GIT_CONFIG_KEY_0=user.name", "GIT_CONFIG_VALUE_0=Octo",
		"GIT_CONFIG_KEY_1=user.email", "GIT_CONFIG_VALUE_1=octo@example.org")
	run := func(script string) string {
		out, errs, code := l.run([]string{"github"}, func(cmd *exec.Cmd) {
			cmd.Dir, cmd.Env = work, append(cmd.Env, settings...)
		}, "sh", "-ec", script)
		return fmt.Sprintf("%d %s%s", code, out, errs)
	}
	if got := run(`
		git clone -q https://github.com/o/r.git one
		cd one
		head -c 3000000 /dev/urandom > file
		git add file
		git commit -qm hello
		git push -q origin HEAD:refs/heads/main
		git clone -q --branch main https://github.com/o/r.git ../two`); !strings.HasPrefix(got, "0 ") {
		t.Fatal(got)
	}
	if got := git(t, filepath.Join(work, "two"), "log", "--format=%an %s"); got != "Octo hello\n" {
		t.Errorf("the second clone has %q", got)
	}
	got := l.requests()
	l.assertKeys(got, key, gitHubKey)
	for address, want := range map[string]string{
		"o/missing.git": "/o/missing.git/' not found", "o//r.git": "returned error: 400",
	} {
		got := run("git clone -q https://github.com/" + address)
		if !strings.HasPrefix(got, "128 fatal: ") || !strings.Contains(got, want) {
			t.Errorf("%s: %s", address, got)
		}
	}
}

func TestCurlWorksWithoutAKey(t *testing.T) {
	t.Parallel()
	l := newLab(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		_, _ = fmt.Fprintf(w, "%s %s", r.Method, r.RequestURI)
	})
	values := map[string]string{}
	for _, provider := range []string{"openai", "anthropic", "github"} {
		values[provider] = l.store(provider)
	}
	settings := noProxy(t)
	for _, c := range []struct{ provider, args, want string }{
		{"openai", `"$OPENAI_BASE_URL/models?limit=1" -H "Authorization: Bearer $OPENAI_API_KEY"`, "0 GET /v1/models?limit=1 200"},
		{"openai", `"$OPENAI_BASE_URL/files" --oauth2-bearer "$OPENAI_API_KEY" -F a=b`, "0 POST /v1/files 200"},
		{"anthropic", `"$ANTHROPIC_BASE_URL/v1/models" -H "x-api-key: $ANTHROPIC_API_KEY"`, "0 GET /v1/models 200"},
		{"anthropic", `"$ANTHROPIC_BASE_URL/v1/models" -H "Authorization: Bearer $ANTHROPIC_API_KEY"`, "0 GET /v1/models 200"},
		{"github", `"$GITHUB_API_URL/user" -H "Authorization: token $GITHUB_TOKEN"`, "0 GET /user 200"},
		{"github", `"$GITHUB_API_URL/user" -u "me:$GITHUB_TOKEN"`, "0 GET /user 200"},
		{"openai", `"$OPENAI_BASE_URL/../v2" --path-as-is -H "Authorization: Bearer $OPENAI_API_KEY"`, `22 {"error":{"code":"target",`},
		{"openai", `"$OPENAI_BASE_URL/models" -H "Authorization: Bearer another"`, `22 {"error":{"code":"other",`},
		{"anthropic", `"$ANTHROPIC_BASE_URL/v1/models"`, `22 {"error":{"message":"Keysake: `},
		{"github", `"$GITHUB_API_URL/@other.example/" -u ":$GITHUB_TOKEN"`, `22 {"message":"Keysake: `},
	} {
		out, errs, code := l.run([]string{c.provider}, func(cmd *exec.Cmd) {
			cmd.Env = append(cmd.Env, settings...)
		}, "sh", "-c", "curl -sS --fail-with-body -w ' %{http_code}' "+c.args)
		if got := fmt.Sprintf("%d %s", code, out); !strings.HasPrefix(got, c.want) {
			t.Errorf("curl %s: %s %s", c.args, got, errs)
		}
		got := l.requests()
		if strings.HasPrefix(c.want, "22") {
			if len(got) > 0 {
				t.Errorf("curl %s: the provider got %v", c.args, got)
			}
			continue
		}
		l.assertKeys(got, values[c.provider], map[string]func(arrived) string{
			"openai": bearer, "anthropic": xAPIKey, "github": bearer,
		}[c.provider])
	}
}
