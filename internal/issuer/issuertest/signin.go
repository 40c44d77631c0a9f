package issuertest

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"strings"
)

// The paths at which people sign in.
const (
	Authorize = "/authorize"
	Exchange  = "/token"
)

// A Client has people sign in at an issuer: by the authorization code flow of OpenID Connect, with
// PKCE and a secret. Whoever comes is signed in at once, as its fields say.
type Client struct {
	ID       string
	Secret   string
	Redirect string // where browsers are sent back to, and nowhere else

	Claims map[string]any // of the next ID token; nil removes one
	Alg    string         // that signs it; empty for ES256
	InForm bool           // the secret is taken in the form alone
	Twice  bool           // a code is good as often as it is presented

	// What the issuer does otherwise than it should. Each may be nil.

	Query  func(url.Values)                 // changes what a browser is sent back with
	Token  func(string) string              // is given in place of an ID token
	Answer func(w http.ResponseWriter) bool // answers in place of it, if it returns true
}

// A grant is what a code stands for.
type grant struct{ nonce, challenge string }

// Serve lets a client have people sign in.
func (i *Issuer) Serve(c *Client) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.client, i.grants = c, map[string]grant{}
}

// Query returns the query of the last browser that was sent here.
func (i *Issuer) Query() url.Values {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.query
}

// endpoints adds where people sign in to what the issuer says of itself.
func (i *Issuer) endpoints(document map[string]any) map[string]any {
	if i.client == nil {
		return document
	}
	document["authorization_endpoint"] = i.URL + Authorize
	document["token_endpoint"] = i.URL + Exchange
	document["authorization_response_iss_parameter_supported"] = true
	method := "client_secret_basic"
	if i.client.InForm {
		method = "client_secret_post"
	}
	document["token_endpoint_auth_methods_supported"] = []string{method}
	return document
}

// signIn answers at the two paths, and returns false at others.
func (i *Issuer) signIn(w http.ResponseWriter, r *http.Request) bool {
	switch {
	case i.client == nil:
		return false
	case r.URL.Path == Authorize && r.Method == http.MethodGet:
		i.authorize(w, r)
	case r.URL.Path == Exchange && r.Method == http.MethodPost:
		i.exchange(w, r)
	default:
		return false
	}
	return true
}

func (i *Issuer) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	i.query = q
	if q.Get("client_id") != i.client.ID || q.Get("redirect_uri") != i.client.Redirect ||
		q.Get("response_type") != "code" || q.Get("code_challenge_method") != "S256" ||
		!strings.Contains(" "+q.Get("scope")+" ", " openid ") {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	code := rand.Text()
	i.grants[code] = grant{q.Get("nonce"), q.Get("code_challenge")}
	back := url.Values{"code": {code}, "state": {q.Get("state")}, "iss": {i.URL}}
	if i.client.Query != nil {
		i.client.Query(back)
	}
	http.Redirect(w, r, i.client.Redirect+"?"+back.Encode(), http.StatusFound)
}

func (i *Issuer) exchange(w http.ResponseWriter, r *http.Request) {
	fail := func(status int, code string) {
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]string{"error": code})
	}
	if i.client.Answer != nil && i.client.Answer(w) {
		return
	}
	if id, secret := i.presented(r); id != i.client.ID || secret != i.client.Secret {
		fail(http.StatusUnauthorized, "invalid_client")
		return
	}
	code := r.PostFormValue("code")
	g, found := i.grants[code]
	sum := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
	if !i.client.Twice {
		delete(i.grants, code)
	}
	if !found || base64.RawURLEncoding.EncodeToString(sum[:]) != g.challenge ||
		r.PostFormValue("redirect_uri") != i.client.Redirect ||
		r.PostFormValue("grant_type") != "authorization_code" {
		fail(http.StatusBadRequest, "invalid_grant")
		return
	}
	more := map[string]any{"nonce": g.nonce, "jti": nil, "nbf": nil}
	maps.Copy(more, i.client.Claims)
	alg := i.client.Alg
	if alg == "" {
		alg = "ES256"
	}
	token := i.sign(alg, i.Claims(i.client.ID, more), nil)
	if i.client.Token != nil {
		token = i.client.Token(token)
	}
	_ = json.NewEncoder(w).Encode(map[string]any{
		"access_token": rand.Text(), "token_type": "Bearer", "id_token": token,
	})
}

// presented returns the id and the secret of the client that asks.
func (i *Issuer) presented(r *http.Request) (id, secret string) {
	if i.client.InForm {
		return r.PostFormValue("client_id"), r.PostFormValue("client_secret")
	}
	id, secret, _ = r.BasicAuth()
	id, badID := url.QueryUnescape(id)
	secret, badSecret := url.QueryUnescape(secret)
	if badID != nil || badSecret != nil || r.PostFormValue("client_secret") != "" {
		return "", ""
	}
	return id, secret
}
