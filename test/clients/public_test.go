package clients_test

import (
	"bufio"
	"bytes"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os/exec"
	"strings"
	"testing"

	"github.com/keysake/keysake/internal/apptest"
)

// python returns a Python that has httpx and pydantic.
func python(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"python3", "/usr/bin/python3"} {
		if exec.Command(name, "-c", "import httpx, pydantic").Run() == nil {
			return name
		}
	}
	t.Fatal("Python with httpx and pydantic is missing: make client-programs, or " +
		"apt-get install python3-httpx python3-pydantic")
	return ""
}

// The public API's Python client, by its own calls: its login by a code, and all of /user. Its
// server's address may end in /api.
func TestThePublicPythonClientsCallsWorkUnchanged(t *testing.T) {
	t.Parallel()
	for _, end := range []string{"", "/api"} {
		s := apptest.Start(t)
		cmd := exec.CommandContext(t.Context(), python(t), "python/user_surface.py")
		cmd.Env = append(cmd.Environ(), "SERVER="+s.URL+end)
		var faults bytes.Buffer
		cmd.Stderr = &faults
		out, err := cmd.StdoutPipe()
		apptest.Must(t, err)
		apptest.Must(t, cmd.Start())
		lines := bufio.NewScanner(out)
		if lines.Scan() {
			letIn(t, s, lines.Text())
		}
		lines.Scan()
		last := lines.Text()
		if err := cmd.Wait(); err != nil || last != "done" {
			t.Errorf("at an address that ends in %q: %v\n%s", end, err, &faults)
		}
	}
}

// letIn confirms the code of a program, as the user dev in a browser.
func letIn(t *testing.T, s *apptest.Server, code string) {
	t.Helper()
	me, err := s.Client(t).WhoAmI(t.Context())
	apptest.Must(t, err)
	made, err := s.Client(t).CreateSignInLink(t.Context(), me.ID)
	apptest.Must(t, err)
	_, link, _ := strings.Cut(made.Path, "?link=")
	jar, err := cookiejar.New(nil)
	apptest.Must(t, err)
	browser := &http.Client{Jar: jar}
	for _, form := range []url.Values{
		{"path": {"/ui/sign-in"}, "link": {link}},
		{"path": {"/ui/device"}, "code": {code}, "decision": {"confirm"}},
	} {
		resp, err := browser.PostForm(s.URL+form.Get("path"), form)
		apptest.Must(t, err)
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Fatalf("%s is answered with %d", form.Get("path"), resp.StatusCode)
		}
	}
}
