package api_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/keysake/keysake/internal/config"
)

// logged returns the lines of a log in JSON that are about one request.
func (s *site) logged(t *testing.T, got answer) (lines []members) {
	t.Helper()
	for line := range strings.Lines(s.Logs.String()) {
		var entry members
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Fatal("a line of the log is no JSON")
		}
		if entry["request_id"] == got.header.Get("X-Request-Id") {
			lines = append(lines, entry)
		}
	}
	return lines
}

func TestEveryAnswerHasALineInTheLogUnderItsOwnId(t *testing.T) {
	t.Parallel()
	s := start(t, func(c *config.Config) { c.LogFormat = "json" })
	me := s.person(t)
	ids := map[string]bool{}
	for _, c := range []struct {
		call
		route  string
		word   string // that stands for the method
		status float64
		user   string
	}{
		{get("/api/v1/user?a=b", me.key), userPath, "GET", 200, me.id},
		{call{method: "HEAD", path: "/api/v1/health"}, "/api/v1/health", "HEAD", 200, ""},
		{get("/api/v1/user/secrets/x", me.key), "/api/v1/user/secrets/{secret_id}", "GET", 422, me.id},
		{post(presetPath, me.key, "no JSON"), presetPath, "POST", 400, me.id},
		{del("/api/v1/nowhere", noKey), "unmatched", "DELETE", 404, ""},
		{get("//", noKey), "unmatched", "GET", 404, ""},
		{call{method: "BREW", path: userPath}, userPath, "other", 405, ""},
		{get(userPath, noKey), userPath, "GET", 401, ""},
	} {
		got := s.do(t, c.call)
		lines := s.logged(t, got)
		if len(lines) != 1 {
			t.Errorf("%s %s: %d lines, want 1", c.method, c.path, len(lines))
			continue
		}
		l := lines[0]
		user, _ := l["user"].(string) // none if nobody is known to have called
		if l["route"] != c.route || l["method"] != c.word || l["status"] != c.status ||
			user != c.user {
			t.Errorf("%s %s is logged as %v %v, %v by %v",
				c.method, c.path, l["method"], l["route"], l["status"], l["user"])
		}
		id := got.header.Get("X-Request-Id")
		if ids[id] {
			t.Errorf("the id %s is there twice", id)
		}
		ids[id] = true
	}
}
