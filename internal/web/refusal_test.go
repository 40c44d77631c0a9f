package web_test

import (
	"strings"
	"testing"

	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/internal/broker"
	"github.com/keysake/keysake/plaintext"
)

func TestARefusalSaysItsRuleItsSecretAndWhatToDo(t *testing.T) {
	s := apptest.Start(t)
	b := open(t, s)
	b.signIn("dev")
	lease := s.LeaseForBroker(t, plaintext.FromString("key-of-a-run-at-the-broker"))
	onLease, onSecret := "/ui/leases/"+lease.ID, "/ui/secrets/"+lease.Secrets[0].ID
	for _, path := range []string{onLease, onSecret} {
		if text := b.get(path).want(t, 200).text; strings.Contains(text, "what to do") {
			t.Errorf("%s explains a refusal that there was not", path)
		}
	}
	s.AskInVain(t, lease, "/v1/models")
	s.AskInVain(t, lease, "/v1/models")
	s.AskInVain(t, lease, "/v1/files")
	for _, path := range []string{onLease, onSecret} {
		text := b.get(path).want(t, 200).text
		_, text, _ = strings.Cut(text, `id="refused"`)
		text, _, _ = strings.Cut(text, "</section>")
		for _, want := range []string{
			"GET api.openai.com/v1/models", "GET api.openai.com/v1/files",
			"The lease does not allow this method", "<code>method</code>",
			"<code>OPENAI_API_KEY</code>", broker.Advice("method"), "2 times, last",
		} {
			if !strings.Contains(text, want) {
				t.Errorf("%s lacks %q:\n%s", path, want, text)
			}
		}
		if n := strings.Count(text, "<li"); n != 2 {
			t.Errorf("%s shows %d refusals", path, n)
		}
		if leads := strings.Contains(text, onLease); leads != (path == onSecret) {
			t.Errorf("%s leads to the lease: %v", path, leads)
		}
	}
	if strings.Contains(b.seen.String(), lease.Broker.Secrets[0].Placeholder) {
		t.Error("a page has a placeholder")
	}
}

func TestASecretShowsItsUsesByRun(t *testing.T) {
	s := apptest.Start(t)
	b := open(t, s)
	b.signIn("dev")
	lease := s.LeaseForBroker(t, plaintext.FromString("key-of-a-run-that-is-shown"))
	runs := func() string {
		_, text, _ := strings.Cut(b.get("/ui/secrets/"+lease.Secrets[0].ID).want(t, 200).text,
			`id="runs"`)
		text, _, _ = strings.Cut(text, "</section>")
		return text
	}
	for _, want := range []string{
		"/ui/leases/" + lease.ID, "a run at the broker", "0 requests at the broker", "live, ends",
	} {
		if text := runs(); !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	b.send("/ui/leases/"+lease.ID+"/revoke").leadsTo(t, "/ui/leases/")
	if text := runs(); !strings.Contains(text, "ended") || strings.Contains(text, "live, ends") {
		t.Errorf("a run that was ended:\n%s", text)
	}
}
