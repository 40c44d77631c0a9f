package web_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/wire"
)

// program begins the login of a program that calls itself by a name.
func program(t *testing.T, s *apptest.Server, name string) wire.DeviceLogin {
	t.Helper()
	body, err := json.Marshal(wire.StartDeviceLogin{Name: &name})
	apptest.Must(t, err)
	return send[wire.DeviceLogin](t, s, "/api/v1/auth/device/code", body, http.StatusOK)
}

// assertFetched has a program ask for its API key.
func assertFetched(t *testing.T, s *apptest.Server, login wire.DeviceLogin, status int) {
	t.Helper()
	body, err := json.Marshal(wire.FetchDeviceLogin{DeviceCode: login.DeviceCode})
	apptest.Must(t, err)
	send[wire.DeviceToken](t, s, "/api/v1/auth/device/token", body, status)
}

func send[Out any](
	t *testing.T, s *apptest.Server, path string, body []byte, status int,
) (out Out) {
	t.Helper()
	resp, err := http.Post(s.URL+path, "application/json", strings.NewReader(string(body)))
	apptest.Must(t, err)
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	apptest.Must(t, err)
	if resp.StatusCode != status {
		t.Fatalf("%s is answered with %d, not %d: %s", path, resp.StatusCode, status, answer)
	}
	if status == http.StatusOK {
		apptest.Must(t, json.Unmarshal(answer, &out))
	}
	return out
}

const devicePage = "/ui/device?code="

func TestAProgramIsLetInByWhoSeesWhatItIs(t *testing.T) {
	s := apptest.Start(t)
	b := open(t, s)
	b.signIn("dev")
	login := program(t, s, `<b>laptop</b>`)
	at, found := strings.CutPrefix(login.VerificationURL, s.URL)
	if !found || at != devicePage+login.UserCode {
		t.Errorf("the program sends people to %s", login.VerificationURL)
	}
	for _, alias := range []string{"/account/device", "/login/device"} {
		b.get(alias+"?code="+login.UserCode).leadsTo(t, at)
	}
	text := b.get(at).want(t, http.StatusOK).text
	for _, shown := range []string{
		login.UserCode, "&lt;b&gt;laptop&lt;/b&gt;", "127.0.0.1, as you do", "secrets:read",
		"keys:write", "Did you start this login yourself", "Refuse it", "Let it in",
	} {
		if !strings.Contains(text, shown) {
			t.Errorf("the page does not have %q:\n%s", shown, text)
		}
	}
	if strings.Contains(text, login.DeviceCode) {
		t.Error("the page has what the program keeps to itself")
	}
	assertFetched(t, s, login, http.StatusUnauthorized) // to look at the page confirms nothing
	b.send("/ui/device", "code", login.UserCode, "decision", "confirm").
		leadsTo(t, "/ui/device?done=device-confirmed")
	if text := b.get("/ui/device?done=device-confirmed").text; !strings.Contains(text, "let in") {
		t.Errorf("the page does not say what was done:\n%s", text)
	}
}

func TestThePageSaysAllThatAProgramGets(t *testing.T) {
	s := apptest.Start(t)
	b := open(t, s)
	b.signIn("dev")
	all := []string{
		"secrets:read", "secrets:write", "leases:write", "keys:write", "audit:read", "admin",
		"act:user",
	}
	body, err := json.Marshal(wire.StartDeviceLogin{AllowedScopes: &all})
	apptest.Must(t, err)
	login := send[wire.DeviceLogin](t, s, "/api/v1/auth/device/code", body, http.StatusOK)
	text := b.get(devicePage+login.UserCode).want(t, http.StatusOK).text
	for _, scope := range all {
		if !strings.Contains(text, "<code>"+scope+"</code>") {
			t.Errorf("the page does not say that the program gets %s:\n%s", scope, text)
		}
	}
}

func TestAProgramThatIsRefusedIsTold(t *testing.T) {
	s := apptest.Start(t)
	b := open(t, s)
	b.signIn("dev")
	login := program(t, s, "laptop")
	b.send("/ui/device", "code", login.UserCode, "decision", "refuse").
		leadsTo(t, "/ui/device?done=device-refused")
	assertFetched(t, s, login, http.StatusNotFound)
	text := b.get(devicePage+login.UserCode).want(t, http.StatusNotFound).text
	if !strings.Contains(text, "No program waits with this code") {
		t.Errorf("the page does not say so:\n%s", text)
	}
}

// RFC 8628, section 5: remote phishing, a code that is guessed, a form of another site, and a
// browser that is signed in as nobody, or was a long time ago.
func TestNoCodeIsConfirmedByAccident(t *testing.T) {
	s := apptest.Start(t)
	b := open(t, s)
	login := program(t, s, "laptop")
	text := b.get(devicePage+login.UserCode).want(t, http.StatusOK).text
	if !strings.Contains(text, login.UserCode) || strings.Contains(text, "laptop") {
		t.Errorf("who is not signed in sees more than a code to come back with:\n%s", text)
	}
	if text := b.get(devicePage + "%3Cb%3E").text; strings.Contains(text, "<b>") ||
		strings.Contains(text, "&lt;b&gt;") {
		t.Errorf("what cannot be a code is repeated:\n%s", text)
	}
	confirm := []string{"code", login.UserCode, "decision", "confirm"}
	b.send("/ui/device", confirm...).want(t, http.StatusUnauthorized)

	b.signIn("dev")
	b.get(devicePage+login.UserCode+"&decision=confirm").want(t, http.StatusOK)
	for name, value := range map[string]string{
		"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example",
	} {
		b.headers = map[string]string{"Sec-Fetch-Site": "", name: value}
		b.send("/ui/device", confirm...).want(t, http.StatusForbidden)
	}
	b.headers = map[string]string{}
	assertFetched(t, s, login, http.StatusUnauthorized)
}

func TestCodesAreNotTriedWithoutEnd(t *testing.T) {
	s := apptest.Start(t)
	b := open(t, s)
	b.signIn("dev")
	login := program(t, s, "laptop")
	for range 35 { // what is right counts for nothing
		b.get(devicePage+login.UserCode).want(t, http.StatusOK)
	}
	b.get(devicePage+"AAAA-AAAA").want(t, http.StatusNotFound) // nor does what cannot be a code
	for range 30 {
		b.get(devicePage+"BCDF-GHJK").want(t, http.StatusNotFound)
	}
	b.get(devicePage+login.UserCode).want(t, http.StatusTooManyRequests)
	b.get(devicePage+"BCDF-GHJK").want(t, http.StatusTooManyRequests)
	b.send("/ui/device", "code", "BCDF-GHJK", "decision", "confirm").
		want(t, http.StatusTooManyRequests)
}
