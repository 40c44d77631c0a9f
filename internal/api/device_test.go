package api_test

import (
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keysake/keysake/internal/api/apicontract"
	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/plaintext"
	"github.com/keysake/keysake/wire"
)

const devicePath = "/api/v1/auth/device"

// program begins the login of a program, with the body of a client of the public API: none.
func (s *site) program(t *testing.T) wire.DeviceLogin {
	t.Helper()
	begin := post(devicePath+"/code", noKey, "").with("Content-Type")
	return into[wire.DeviceLogin](t, s.do(t, begin).want(t, 200))
}

func (s *site) fetch(t *testing.T, login wire.DeviceLogin) answer {
	t.Helper()
	body := encode(t, wire.FetchDeviceLogin{DeviceCode: login.DeviceCode})
	return s.do(t, post(devicePath+"/token", noKey, body))
}

// confirm lets a program in, as the user dev in a browser.
func (s *site) confirm(t *testing.T, login wire.DeviceLogin) {
	t.Helper()
	me := into[wire.User](t, s.do(t, get(userPath, s.Key)).want(t, 200))
	made := s.do(t, post(usersPath+"/"+me.ID+"/sign-in-links", s.Key, "").with("Content-Type"))
	_, link, _ := strings.Cut(into[wire.SignInLink](t, made.want(t, 201)).Path, "?link=")
	jar, _ := cookiejar.New(nil)
	browser := &http.Client{Jar: jar}
	for _, step := range []struct {
		path string
		form url.Values
	}{
		{"/ui/sign-in", url.Values{"link": {link}}},
		{"/ui/device", url.Values{"code": {login.UserCode}, "decision": {"confirm"}}},
	} {
		resp, err := browser.PostForm(s.URL+step.path, step.form)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Fatalf("%s is answered with %d", step.path, resp.StatusCode)
		}
	}
}

func deviceOperations(t *testing.T) map[string]apicontract.Operation {
	t.Helper()
	all := map[string]apicontract.Operation{}
	for _, op := range allOperations(t) {
		if isDevice(op) {
			all[op.ID] = op
		}
	}
	return all
}

func TestAClientOfThePublicAPILogsInAndMakesItselfAKey(t *testing.T) {
	t.Parallel()
	s := start(t)
	login := s.program(t)
	if login.Completed || login.UserID != nil || login.ExpiresIn < 500 ||
		login.VerificationURL != s.URL+"/ui/device?code="+login.UserCode {
		t.Errorf("it begins as %+v", login)
	}
	waits := s.fetch(t, login).want(t, 401)
	if waits.header.Get("Retry-After") == "" {
		t.Error("nothing says when to ask again")
	}
	s.fetch(t, login).want(t, 429) // slow down
	s.confirm(t, login)
	look := get(devicePath+"/code/"+login.DeviceCode, noKey)
	seen := into[wire.DeviceLogin](t, s.do(t, look).want(t, 200))
	me := into[wire.User](t, s.do(t, get(userPath, s.Key)).want(t, 200))
	want := login
	want.Completed, want.UserID = true, &me.ID
	want.ExpiresAt, want.ExpiresIn = seen.ExpiresAt, seen.ExpiresIn
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Errorf("confirmed, it has changed:\n%s", diff)
	}
	token := into[wire.DeviceToken](t, s.patientFetch(t, login).want(t, 200))
	key := plaintext.FromString(token.AccessToken)
	made := members{"name": "cli", "org_id": me.ID, "workspace_id": nil}
	_, own := s.ownKey(t, key, made)
	s.do(t, get(secretsPath, own)).want(t, 200)
	s.do(t, look).refused(t, 404)
	s.patientFetch(t, login).refused(t, 404)
}

// patientFetch asks again after as long as it was told to wait.
func (s *site) patientFetch(t *testing.T, login wire.DeviceLogin) answer {
	t.Helper()
	for {
		got := s.fetch(t, login)
		if got.status != http.StatusTooManyRequests {
			return got
		}
		seconds, err := strconv.Atoi(got.header.Get("Retry-After"))
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(seconds) * time.Second)
	}
}

func TestTheBodiesOfDeviceLoginsAreThoseOfTheContract(t *testing.T) {
	t.Parallel()
	s := start(t)
	begin := deviceOperations(t)["startDeviceLogin"]
	for _, example := range begin.Examples {
		s.do(t, call{method: "POST", path: begin.Path, body: string(example.Body)}).want(t, 200)
	}
	for _, op := range deviceOperations(t) {
		for _, m := range op.Mutations() {
			got := s.do(t, call{method: op.Method, path: op.Path, body: string(m.Body)})
			if got.status != m.Want || !anyBegins(into[wire.Problem](t, got).Errors, m.Loc) {
				t.Errorf("%s, %s: answered %d for %q, want %d at %v",
					op.ID, m.Name, got.status, got.faults(t), m.Want, m.Loc)
			}
		}
	}
}

func TestWhatIsNoDeviceCodeIsNotFoundAndNotRepeated(t *testing.T) {
	t.Parallel()
	s := start(t)
	login := s.program(t)
	for _, code := range []string{
		login.UserCode, "x", "ksd_" + strings.Repeat("0", 49), string(s.Key.Reveal()), nowhere,
	} {
		got := s.do(t, get(devicePath+"/code/"+code, noKey))
		got.refused(t, 404)
		token := s.do(t, post(devicePath+"/token", noKey, encode(t, members{"device_code": code})))
		token.refused(t, 404)
		if strings.Contains(string(got.body)+string(token.body), code) && code != "x" {
			t.Error("an answer repeats a code")
		}
	}
	if strings.Contains(s.Logs.String(), login.DeviceCode) ||
		strings.Contains(s.Logs.String(), login.UserCode) {
		t.Error("a code is in the log")
	}
}

func TestANetworkBeginsOnlySoManyLogins(t *testing.T) {
	t.Parallel()
	s := start(t)
	for range 30 {
		s.program(t)
	}
	begin := post(devicePath+"/code", noKey, "{}")
	if got := s.do(t, begin).want(t, 429); got.header.Get("Retry-After") == "" {
		t.Error("nothing says when to ask again")
	}
}

func TestAnOldClientDoesNotLogIn(t *testing.T) {
	t.Parallel()
	s := start(t, func(c *config.Config) {
		c.MinClients = []config.MinClient{{Name: "dreadnode-sdk", Version: "2.1.0"}}
	})
	for _, op := range deviceOperations(t) {
		old := call{method: op.Method, path: op.URL()}.with("User-Agent", "dreadnode-sdk/1.0.0")
		s.do(t, old).want(t, 426)
	}
}
