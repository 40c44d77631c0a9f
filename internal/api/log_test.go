package api_test

import (
	"encoding/json"
	"net/netip"
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
		user, _ := l["user"].(string) // none before the caller is known
		if l["route"] != c.route || l["method"] != c.word || l["status"] != c.status ||
			user != c.user {
			t.Errorf("%s %s is logged as %v %v, %v by %v",
				c.method, c.path, l["method"], l["route"], l["status"], l["user"])
		}
		id := got.header.Get("X-Request-Id")
		if ids[id] {
			t.Errorf("two requests have the id %s", id)
		}
		ids[id] = true
	}
}

func TestTheAuditLogHasTheCallersKeyAndItsResolvedAddress(t *testing.T) {
	t.Parallel()
	s := start(t, func(c *config.Config) {
		c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	})
	me := s.person(t)
	keyID, key := s.ownKey(t, me.key, members{})
	s.do(t, post(secretsPath, key, custom).with("X-Forwarded-For", "192.0.2.1")).want(t, 201)
	var kind, id, client string
	err := s.database(t).QueryRowContext(t.Context(), `SELECT credential_kind, credential_id, client
		FROM audit_entries WHERE user_id = $1 AND action = 'secret.create'`, me.id).
		Scan(&kind, &id, &client)
	if err != nil || kind != "api-key" || id != keyID || client != "192.0.2.1" {
		t.Errorf("the entry is by the %s %s from %s: %v", kind, id, client, err)
	}
}
