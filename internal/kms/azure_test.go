package kms_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"path"
	"strings"
	"testing"
)

const (
	azureVault   = "keysake-test"
	azureHost    = azureVault + ".vault.azure.net"
	azureVersion = "/0123456789abcdef0123456789abcdef"
	azureTenant  = "11111111-2222-3333-4444-555555555555"
	azureLogin   = "login.microsoftonline.com"
)

// azure stands in for Azure: it gives tokens to an application that knows its secret, and keeps
// keys in a vault for who presents one.
type azure struct {
	*standIn

	secret string
}

type azureFailure struct {
	status int
	code   string
}

// newAzure starts one, and names the credentials for it in the variables that every client reads.
func newAzure(t *testing.T) *standIn {
	t.Helper()
	url := "azurekeyvault://" + azureVault + "/"
	s := newStandIn(t, url+"key"+azureVersion, url+"other"+azureVersion)
	a := &azure{standIn: s, secret: s.token + "-secret"}
	newInternet(t, map[string]http.Handler{
		azureLogin: http.HandlerFunc(a.login),
		azureHost:  http.HandlerFunc(a.vault),
	})
	for name, value := range map[string]string{
		"AZURE_TENANT_ID": azureTenant, "AZURE_CLIENT_ID": azureTenant,
		"AZURE_CLIENT_SECRET": a.secret, "AZURE_TOKEN_CREDENTIALS": "prod",
	} {
		t.Setenv(name, value)
	}
	s.failures = map[string]any{
		"denied": azureFailure{403, "Forbidden"}, "unknown": azureFailure{404, "KeyNotFound"},
		"disabled": azureFailure{403, "KeyDisabled"}, "too many": azureFailure{429, "Throttled"},
		"its own": azureFailure{500, "InternalServerError"},
	}
	return s
}

// login gives a token for the secret of the application: RFC 6749, section 4.4.
func (a *azure) login(w http.ResponseWriter, r *http.Request) {
	authority := "https://" + azureLogin + "/" + azureTenant
	switch {
	case strings.HasSuffix(r.URL.Path, "/discovery/instance"):
		answerJSON(a.t, w, map[string]any{
			"tenant_discovery_endpoint": authority + "/v2.0/.well-known/openid-configuration",
			"metadata": []map[string]any{{
				"preferred_network": azureLogin, "preferred_cache": azureLogin,
				"aliases": []string{azureLogin},
			}},
		})
	case strings.HasSuffix(r.URL.Path, "/openid-configuration"):
		answerJSON(a.t, w, map[string]any{
			"issuer":                 authority + "/v2.0",
			"authorization_endpoint": authority + "/oauth2/v2.0/authorize",
			"token_endpoint":         authority + "/oauth2/v2.0/token",
		})
	case r.URL.Path == "/"+azureTenant+"/oauth2/v2.0/token" &&
		r.PostFormValue("client_secret") == a.secret &&
		strings.Contains(r.PostFormValue("scope"), "https://vault.azure.net/.default"):
		answerJSON(a.t, w, map[string]any{
			"access_token": a.token, "token_type": "Bearer", "expires_in": 3600,
		})
	default:
		w.WriteHeader(http.StatusUnauthorized)
		answerJSON(a.t, w, map[string]any{"error": "invalid_client"})
	}
}

func (a *azure) vault(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer "+a.token {
		w.Header().Set("WWW-Authenticate", `Bearer authorization="https://`+azureLogin+"/"+
			azureTenant+`", resource="https://vault.azure.net"`)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	failure, silent := a.next()
	if silent {
		<-r.Context().Done()
		return
	}
	if f, ok := failure.(azureFailure); ok {
		azureError(a.t, w, f)
		return
	}
	var in struct{ Alg, Value string }
	key, operation := path.Split(r.URL.Path)
	key = strings.TrimSuffix(strings.TrimPrefix(key, "/keys"), "/")
	url := "azurekeyvault://" + azureVault + key
	err := json.NewDecoder(r.Body).Decode(&in)
	value, errValue := base64.RawURLEncoding.DecodeString(in.Value)
	if err != nil || errValue != nil || in.Alg != "RSA-OAEP-256" {
		azureError(a.t, w, azureFailure{400, "BadParameter"})
		return
	}
	var out []byte
	var ok bool
	switch operation {
	case "encrypt":
		out, ok = a.seal(url, value)
	case "decrypt":
		out, ok = a.open(url, value)
	}
	if !ok {
		azureError(a.t, w, azureFailure{400, "BadParameter"})
		return
	}
	answerJSON(a.t, w, map[string]any{
		"kid":   "https://" + azureHost + "/keys" + key,
		"value": base64.RawURLEncoding.EncodeToString(out),
	})
}

func azureError(t *testing.T, w http.ResponseWriter, f azureFailure) {
	t.Helper()
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(f.status)
	answerJSON(t, w, map[string]any{"error": map[string]string{"code": f.code, "message": "no"}})
}

func TestAnApplicationOfAzureWithAnotherSecretGetsNoToken(t *testing.T) {
	s := newAzure(t)
	t.Setenv("AZURE_CLIENT_SECRET", strings.Repeat("0", 40))
	refused(t, s)
}
