package broker_test

import (
	"net/http"
	"net/http/cgi"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// git runs git with a configuration that is in its environment alone.
func (s *site) git(dir string, config [][2]string, args ...string) string {
	s.t.Helper()
	cmd := exec.CommandContext(s.t.Context(), "git", args...)
	cmd.Dir = dir
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + s.t.TempDir(), "GIT_TERMINAL_PROMPT=0",
		"GIT_CONFIG_NOSYSTEM=1",
	}
	config = append(config, [2]string{"user.name", "t"}, [2]string{"user.email", "t@example.com"},
		[2]string{"init.defaultBranch", "main"})
	for i, pair := range config {
		n := string(rune('0' + i))
		cmd.Env = append(
			cmd.Env,
			"GIT_CONFIG_KEY_"+n+"="+pair[0],
			"GIT_CONFIG_VALUE_"+n+"="+pair[1],
		)
	}
	cmd.Env = append(cmd.Env, "GIT_CONFIG_COUNT="+string(rune('0'+len(config))))
	out, err := cmd.CombinedOutput()
	if err != nil {
		s.t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

func TestGitClonesAndPushesThroughTheBroker(t *testing.T) {
	t.Parallel()
	var value atomic.Value // of the lease
	root := t.TempDir()
	path, err := exec.CommandContext(t.Context(), "git", "--exec-path").Output()
	if err != nil {
		t.Fatal("git is needed: ", err)
	}
	backend := &cgi.Handler{
		Path: filepath.Join(strings.TrimSpace(string(path)), "git-http-backend"),
		Env: []string{
			"GIT_PROJECT_ROOT=" + root, "GIT_HTTP_EXPORT_ALL=1", "REMOTE_USER=someone",
		},
	}
	s := start(t, func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		if r.Host != "github.com" || user != "x-access-token" || password != value.Load() {
			w.Header().Set("WWW-Authenticate", "Basic")
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		backend.ServeHTTP(w, r)
	})
	l := s.lease("github")
	value.Store(l.value)
	s.git(root, nil, "init", "--bare", "o/r.git")
	config := [][2]string{
		{"url." + s.URL + "/github/@github.com/.insteadOf", "https://github.com/"},
		{"http." + s.URL + "/.extraHeader", "Authorization: Bearer " + l.placeholder},
	}
	work := t.TempDir()
	s.git(work, config, "clone", "https://github.com/o/r.git", "one")
	one := filepath.Join(work, "one")
	text := []byte(strings.Repeat(randomText(1<<10), 2<<10)) // more than git sends without chunks
	if err := os.WriteFile(
		filepath.Join(one, "file"),
		append(text, randomText(2<<20)...),
		0o600,
	); err != nil {
		t.Fatal(err)
	}
	s.git(one, nil, "add", "file")
	s.git(one, nil, "commit", "-m", "one")
	s.git(one, config, "push", "origin", "HEAD:refs/heads/main")
	s.git(work, config, "clone", "https://github.com/o/r.git", "two")
	if got := s.git(filepath.Join(work, "two"), nil, "log", "--format=%s"); got != "one\n" {
		t.Errorf("the clone has %q", got)
	}
}
