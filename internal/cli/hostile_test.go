package cli_test

import (
	"encoding/json"
	"net/http"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/bundle"
	"github.com/keysake/keysake/wire"
)

// fill sets every text in v to evil, of lists one element, and every number and time to something.
func fill(v reflect.Value) {
	switch {
	case v.Type() == reflect.TypeFor[time.Time]():
		v.Set(reflect.ValueOf(time.Unix(1_700_000_000, 0).UTC()))
	case v.Kind() == reflect.String:
		v.SetString(evil)
	case v.CanInt():
		v.SetInt(7)
	case v.CanUint():
		v.SetUint(7)
	case v.Kind() == reflect.Bool:
		v.SetBool(true)
	case v.Kind() == reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case v.Kind() == reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case v.Kind() == reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		one := reflect.New(v.Type().Elem()).Elem()
		fill(one)
		v.SetMapIndex(reflect.ValueOf(evil).Convert(v.Type().Key()), one)
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				fill(v.Field(i))
			}
		}
	case v.Kind() == reflect.Interface && v.NumMethod() == 0:
		v.Set(reflect.ValueOf(evil))
	}
}

func filled[T any]() any {
	var v T
	fill(reflect.ValueOf(&v).Elem())
	return v
}

// hostile answers every request with what the operation answers, full of evil.
func hostile(t *testing.T) http.HandlerFunc {
	t.Helper()
	key, err := bundle.NewKey(bundle.XWing)
	if err != nil {
		t.Fatal(err)
	}
	sealing := wire.SealingKey{
		ID: "one", Recipient: key.Recipient().String(), Server: uuid.NewString(),
		ExpiresAt: time.Now().Add(time.Hour),
	}
	list := filled[wire.SecretList]().(wire.SecretList)
	named := list.Secrets[0]
	named.Name = "ONE" // it can be named
	list.Secrets = append(list.Secrets, named)
	byEnd := []struct {
		end    string
		answer any
	}{
		{"/sealing-key", sealing},
		{"/user", filled[wire.User]()},
		{"/secrets/health", filled[wire.SecretHealthList]()},
		{"/probe", filled[wire.SecretHealth]()},
		{"/health", filled[wire.Health]()},
		{"/presets", filled[wire.PresetList]()},
		{"GET /api/v1/user/secrets", list},
		{"/import", list},
		{"/versions", filled[wire.VersionList]()},
		{"/secrets/usage", filled[wire.SecretUsageList]()},
		{"/usage", filled[wire.SecretUsage]()},
		{"GET /api/v1/user/api-keys", filled[wire.APIKeyList]()},
		{"POST /api-keys", filled[wire.APIKey]()},
		{"GET /api/v1/admin/users", filled[wire.UserList]()},
		{"/audit", filled[wire.AuditPage]()},
		{"GET /api/v1/user/leases", filled[wire.LeaseList]()},
		{"DELETE /leases", filled[wire.RevokedLease]()},
		{"/leases", filled[wire.Lease]()},
		{"", filled[wire.Secret]()},
	}
	return func(w http.ResponseWriter, r *http.Request) {
		at := r.Method + " " + r.URL.Path
		for _, c := range byEnd {
			method, path, both := strings.Cut(c.end, " ")
			if both && r.Method != method {
				continue
			}
			if !both {
				path = c.end
			}
			if strings.HasSuffix(at, path) || strings.Contains(c.end, "leases") &&
				strings.Contains(at, "/leases/") && !strings.HasPrefix(c.end, "GET") {
				_ = json.NewEncoder(w).Encode(c.answer)
				return
			}
		}
	}
}

func TestNoCommandLetsAServerControlTheTerminal(t *testing.T) {
	env := at(t, hostile(t))
	env["PATH"] = os.Getenv("PATH")
	id := uuid.NewString()
	for _, command := range []string{
		"whoami", "status", "presets", "presets --json", "secrets list", "secrets list --json",
		"secrets versions ONE", "secrets versions " + id,
		"secrets rollback " + id + " --version 1", "secrets rename " + id + " TWO",
		"secrets set TWO", "secrets set ONE --replace", "secrets update " + id,
		"secrets update ONE", "secrets delete " + id + " --yes", "secrets delete ONE --yes",
		"secrets delete ONE", "secrets get ONE", "secrets import -",
		"secrets import - --dry-run", "secrets import - --replace --yes",
		"secrets set --preset openai", "api-keys list", "api-keys list --all",
		"api-keys list --json", "api-keys create --name a", "api-keys create --user a",
		"api-keys revoke " + id + " --yes", "api-keys revoke a --yes", "users list",
		"users list --json", "users create a", "users delete a --yes",
		"users delete " + id + " --yes", "users disable " + id, "users enable " + id,
		"users keep " + id, "lease list", "lease list --json", "lease show " + id,
		"lease show " + id + " --json", "lease create --ticket -s ONE", "lease revoke " + id,
		"audit list", "audit list --json", "confirm --yes", "confirm", "run --print -s ONE",
		"run --print --all", "run --print -s ONE --json", "run -s ONE -- true",
		"run --all -- true", "run -s * -- true", "run --preset openai -- true",
		"__complete secrets delete ", "__complete run -s ", "__complete run --preset ",
		"__complete api-keys revoke ",
	} {
		args := strings.Fields(command)
		if strings.HasSuffix(command, " ") {
			args = append(args, "")
		}
		_, out, errs := run(t, env, strings.NewReader("A=some-longer-value\n"), args...)
		for _, text := range []string{out, errs} {
			for _, line := range strings.Split(text, "\n") {
				if strings.ContainsAny(line, "\x1b\r\u009b\u202e\u2028\x7f") {
					t.Errorf("keysake %s: %q reached the terminal", command, line)
				}
				if strings.HasPrefix(line, "keysake: c") {
					t.Errorf("keysake %s: the server began a line", command)
				}
			}
		}
	}
}
