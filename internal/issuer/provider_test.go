package issuer_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/keysake/keysake/internal/issuer"
	"github.com/keysake/keysake/internal/issuer/issuertest"
	"github.com/keysake/keysake/internal/vault"
	"github.com/keysake/keysake/plaintext"
)

const (
	clientID = "keysake of acme"
	callback = here + "/ui/sign-in/callback"
	// With what must be escaped.
	clientSecret = "not-a-secret:%+ &="
)

// A signIn is a provider, its issuer, and a person at it.
type signIn struct {
	*site

	client   *issuertest.Client
	options  issuer.ProviderOptions
	provider *issuer.Provider
	attempt  plaintext.Value
}

func startSignIn(t *testing.T) *signIn {
	t.Helper()
	s := &signIn{
		site: start(t), attempt: plaintext.FromString("one browser"),
		client: &issuertest.Client{
			ID: clientID, Secret: clientSecret, Redirect: callback,
			Claims: map[string]any{
				"sub": "mia", "preferred_username": "mia.m", "email": "mia@example.org",
				"email_verified": true, "groups": []string{"staff", "keysake"},
			},
		},
	}
	s.Serve(s.client)
	s.options = issuer.ProviderOptions{
		Issuer: s.URL, ClientID: clientID, Secret: plaintext.FromString(clientSecret),
		Redirect: callback, Scopes: "openid email", Username: "preferred_username",
		Allow: []vault.Claim{{Name: "groups", Value: "keysake"}},
		Admin: []vault.Claim{{Name: "groups", Value: "admins"}},
	}
	s.provider = s.verifier.Provider(s.options)
	return s
}

// visit goes to the provider, and returns with what the browser is sent back.
func (s *signIn) visit() url.Values {
	s.t.Helper()
	address, err := s.provider.Address(s.t.Context(), s.attempt)
	if err != nil {
		s.t.Fatal(err)
	}
	roots := &http.Transport{TLSClientConfig: &tls.Config{
		RootCAs: s.Roots, MinVersion: tls.VersionTLS12,
	}}
	defer roots.CloseIdleConnections()
	request, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, address, http.NoBody)
	if err != nil {
		s.t.Fatal(err)
	}
	response, err := roots.RoundTrip(request)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	back, err := url.Parse(response.Header.Get("Location"))
	if err != nil || response.StatusCode != http.StatusFound ||
		!strings.HasPrefix(back.String(), callback+"?") {
		s.t.Fatalf("the provider answers %d, to %s (%v)", response.StatusCode, back, err)
	}
	return back.Query()
}

func (s *signIn) person(back url.Values) (vault.Person, error) {
	return s.provider.Person(s.t.Context(), s.attempt, back)
}

// assertRefused checks that nobody has signed in, and that the error says nothing of a secret.
func (s *signIn) assertRefused(what string, back url.Values, want vault.Kind) {
	s.t.Helper()
	person, err := s.person(back)
	if vault.KindOf(err) != want || err == nil {
		s.t.Errorf("%s: got %v", what, err)
		return
	}
	if !cmp.Equal(person, vault.Person{}) {
		s.t.Errorf("%s: an error, and yet a person", what)
	}
	for _, secret := range []string{
		clientSecret, url.QueryEscape(clientSecret), back.Get("code"), back.Get("state"), "canary",
	} {
		if secret != "" && strings.Contains(err.Error(), secret) {
			s.t.Errorf("%s: the error repeats %q", what, secret)
		}
	}
}

func TestAPersonIsWhoTheProviderSays(t *testing.T) {
	s := startSignIn(t)
	first, err := s.person(s.visit())
	if err != nil {
		t.Fatal(err)
	}
	want := vault.Person{
		Identity: vault.Identity{Issuer: s.URL, Subject: "mia"},
		Name:     "mia.m", Email: "mia@example.org", Enters: true, Joins: true,
	}
	if diff := cmp.Diff(want, first, cmpopts.IgnoreFields(vault.Person{}, "Attempt")); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	asked := s.Query()
	for name, want := range map[string]string{
		"client_id": clientID, "redirect_uri": callback, "scope": "openid email",
		"response_type": "code", "code_challenge_method": "S256", "max_age": "900",
	} {
		if got := asked.Get(name); got != want {
			t.Errorf("%s is %q, not %q", name, got, want)
		}
	}
	s.attempt = plaintext.FromString("another browser")
	second, err := s.person(s.visit())
	if err != nil || second.Attempt == first.Attempt {
		t.Errorf("two sign-ins are told apart by nothing (%v)", err)
	}
	for _, name := range []string{"state", "nonce", "code_challenge"} {
		if asked.Get(name) == s.Query().Get(name) || len(asked.Get(name)) != 43 {
			t.Errorf("%s is the same in two sign-ins, or short", name)
		}
	}
	s.client.InForm = true
	s.later = time.Hour // what is known of the provider is asked anew
	s.client.Claims["exp"] = time.Now().Add(2 * time.Hour).Unix()
	if _, err := s.person(s.visit()); err != nil {
		t.Errorf("a secret in the form: %v", err)
	}
}

func TestClaimsAreEqualOrNot(t *testing.T) {
	s := startSignIn(t)
	claim := func(name, value string) []vault.Claim {
		return []vault.Claim{{Name: name, Value: value}}
	}
	for what, c := range map[string]struct {
		allow, admin         []vault.Claim
		more                 map[string]any
		enters, joins, admit bool
	}{
		"nothing is demanded":       {nil, nil, nil, true, false, false},
		"a text":                    {claim("sub", "mia"), claim("sub", "mia"), nil, true, true, true},
		"an element":                {claim("groups", "staff"), nil, nil, true, true, false},
		"a part of an element":      {claim("groups", "sta"), nil, nil, false, false, false},
		"a verified address":        {claim("email", "mia@example.org"), nil, nil, true, true, false},
		"no such claim":             {claim("none", "x"), claim("none", "x"), nil, false, false, false},
		"a number is none":          {claim("exp", "1"), nil, nil, false, false, false},
		"a pattern is none":         {claim("sub", ".*"), claim("groups", "*"), nil, false, false, false},
		"true":                      {claim("email_verified", "true"), nil, nil, true, true, false},
		"one of two":                {append(claim("sub", "mia"), claim("none", "x")...), nil, nil, false, false, false},
		"an address that is not":    {claim("email", "mia@example.org"), nil, map[string]any{"email_verified": false}, false, false, false},
		"nobody says that it is":    {claim("email", "mia@example.org"), nil, map[string]any{"email_verified": nil}, false, false, false},
		"a list in a list":          {claim("groups", "staff"), nil, map[string]any{"groups": []any{[]string{"staff"}}}, false, false, false},
		"an object":                 {claim("groups", "staff"), nil, map[string]any{"groups": map[string]any{"staff": 1}}, false, false, false},
		"admin, and not let in":     {claim("none", "x"), claim("sub", "mia"), nil, false, false, true},
		"an admin by two, with one": {nil, append(claim("sub", "mia"), claim("none", "x")...), nil, true, false, false},
	} {
		claims := s.client.Claims
		s.client.Claims = map[string]any{}
		for name, value := range claims {
			s.client.Claims[name] = value
		}
		for name, value := range c.more {
			s.client.Claims[name] = value
		}
		s.options.Allow, s.options.Admin = c.allow, c.admin
		s.provider = s.verifier.Provider(s.options)
		person, err := s.person(s.visit())
		if err != nil || person.Enters != c.enters || person.Joins != c.joins ||
			person.Admin != c.admit {
			t.Errorf("%s: %+v (%v)", what, person, err)
		}
		if c.more["email_verified"] == false && person.Email != "" {
			t.Errorf("%s: an address that nobody verified is taken", what)
		}
		s.client.Claims = claims
	}
}

func TestAnAnswerOfAnotherSignInSignsNobodyIn(t *testing.T) {
	s := startSignIn(t)
	for what, change := range map[string]func(url.Values){
		"no state":          func(q url.Values) { q.Del("state") },
		"an empty state":    func(q url.Values) { q.Set("state", "") },
		"another state":     func(q url.Values) { q.Set("state", "canary") },
		"two states":        func(q url.Values) { q.Add("state", q.Get("state")) },
		"no code":           func(q url.Values) { q.Del("code") },
		"two codes":         func(q url.Values) { q.Add("code", "canary") },
		"another code":      func(q url.Values) { q.Set("code", "canary") },
		"another issuer":    func(q url.Values) { q.Set("iss", "https://canary.example.org") },
		"no issuer":         func(q url.Values) { q.Del("iss") },
		"two issuers":       func(q url.Values) { q.Add("iss", "https://canary.example.org") },
		"an error as state": func(q url.Values) { q.Set("error", "access_denied"); q.Del("state") },
	} {
		back := s.visit()
		change(back)
		s.assertRefused(what, back, vault.Unauthenticated)
	}
	back := s.visit()
	s.attempt = plaintext.FromString("the browser of somebody else")
	s.assertRefused("a sign-in of another browser", back, vault.Unauthenticated)
	// Somebody puts a code of another browser into a sign-in of their own.
	injected := s.visit()
	injected.Set("code", back.Get("code"))
	s.assertRefused("a code of another browser", injected, vault.Unauthenticated)

	back = s.visit()
	if _, err := s.person(back); err != nil {
		t.Fatal(err)
	}
	s.assertRefused("a code for the second time", back, vault.Unauthenticated)
}

func TestAnIssuerThatDoesNotNameItselfMayLeaveItOut(t *testing.T) {
	s := startSignIn(t)
	s.Replace(issuertest.Discovery, map[string]any{
		"issuer": s.URL, "jwks_uri": s.URL + issuertest.KeySet,
		"authorization_endpoint": s.URL + issuertest.Authorize,
		"token_endpoint":         s.URL + issuertest.Exchange,
	})
	back := s.visit()
	back.Del("iss")
	if _, err := s.person(back); err != nil {
		t.Error(err)
	}
	back = s.visit()
	back.Set("iss", "https://other.example.org")
	s.assertRefused("another one all the same", back, vault.Unauthenticated)
}

func TestAnIDTokenIsOfThisSignInAndForThisClient(t *testing.T) {
	s := startSignIn(t)
	now := time.Now().Unix()
	usual := s.client.Claims
	for what, claims := range map[string]map[string]any{
		"another nonce":          {"nonce": "canary"},
		"no nonce":               {"nonce": nil},
		"a nonce that is a list": {"nonce": []string{"canary"}},
		"another audience":       {"aud": "canary"},
		"no audience":            {"aud": nil},
		"two audiences":          {"aud": []string{clientID, "canary"}},
		"two, for the other":     {"aud": []string{clientID, "canary"}, "azp": "canary"},
		"another party":          {"azp": "canary"},
		"a party that is none":   {"azp": 1},
		"another issuer":         {"iss": "https://canary.example.org"},
		"no issuer":              {"iss": nil},
		"expired":                {"exp": now - 3600},
		"no expiry":              {"exp": nil},
		"not yet":                {"nbf": now + 3600},
		"of the future":          {"iat": now + 3600},
		"no subject":             {"sub": nil},
		"an empty subject":       {"sub": ""},
		"a subject of numbers":   {"sub": 7},
		"an old sign-in":         {"auth_time": now - 3600},
		"a sign-in without time": {"auth_time": "canary"},
	} {
		s.client.Claims = claims
		if _, found := claims["sub"]; !found {
			claims["sub"] = "mia"
		}
		s.assertRefused(what, s.visit(), vault.Unauthenticated)
	}
	for what, claims := range map[string]map[string]any{
		"a new sign-in":           {"auth_time": now - 60},
		"two, for this client":    {"aud": []string{clientID, "other"}, "azp": clientID},
		"with the clock a bit on": {"iat": now + 30, "auth_time": now - 900},
	} {
		s.client.Claims = claims
		if _, err := s.person(s.visit()); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	s.client.Claims = usual
}

func TestAnIDTokenIsSignedByItsIssuer(t *testing.T) {
	s := startSignIn(t)
	der, err := x509.MarshalPKIXPublicKey(s.Key("RS256").Public())
	if err != nil {
		t.Fatal(err)
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	other := issuertest.Start(t)
	other.AddKey("RS256", "RS256")
	with := func(method jwt.SigningMethod, key any) func(string) string {
		return func(token string) string {
			claims := jwt.MapClaims{}
			if _, _, err := jwt.NewParser().ParseUnverified(token, claims); err != nil {
				panic(err)
			}
			forged := jwt.NewWithClaims(method, claims)
			forged.Header["kid"] = "RS256"
			text, err := forged.SignedString(key)
			if err != nil {
				panic(err)
			}
			return text
		}
	}
	for what, forge := range map[string]func(string) string{
		"by nobody":                 with(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType),
		"by HS256 with the RSA key": with(jwt.SigningMethodHS256, public),
		"by HS256 with its bytes":   with(jwt.SigningMethodHS256, der),
		"by HS256 with the secret":  with(jwt.SigningMethodHS256, []byte(clientSecret)),
		"by another issuer's key":   with(jwt.SigningMethodRS256, other.Key("RS256")),
		"with another signature":    func(token string) string { return token[:len(token)-8] + "AAAAAAAA" },
		"without one":               func(token string) string { return token[:strings.LastIndex(token, ".")+1] },
		"a text":                    func(string) string { return "canary" },
		"over other claims":         overOthers,
	} {
		s.client.Token = forge
		s.assertRefused(what, s.visit(), vault.Unauthenticated)
	}
	s.client.Token = func(string) string { return "" }
	s.assertRefused("no ID token", s.visit(), vault.BadGateway)
	s.client.Token = nil
	for _, alg := range []string{"RS256", "PS256", "ES256", "EdDSA"} {
		s.client.Alg = alg
		if _, err := s.person(s.visit()); err != nil {
			t.Errorf("%s: %v", alg, err)
		}
	}
}

// overOthers returns a token with a signature that is of another subject.
func overOthers(token string) string {
	parts := strings.Split(token, ".")
	claims, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		panic(err)
	}
	changed := bytes.Replace(claims, []byte(`"sub":"mia"`), []byte(`"sub":"ben"`), 1)
	return parts[0] + "." + base64.RawURLEncoding.EncodeToString(changed) + "." + parts[2]
}

func TestAProviderThatIsAwaySaysSoAndLeavesNobodyIn(t *testing.T) {
	s := startSignIn(t)
	back := s.visit()
	for what, answer := range map[string]func(http.ResponseWriter){
		"an error": func(w http.ResponseWriter) { w.WriteHeader(http.StatusInternalServerError) },
		"a redirect": func(w http.ResponseWriter) {
			w.Header().Set("Location", "https://canary.example")
			w.WriteHeader(http.StatusTemporaryRedirect)
		},
		"no JSON":  func(w http.ResponseWriter) { _, _ = w.Write([]byte("canary")) },
		"a list":   func(w http.ResponseWriter) { _, _ = w.Write([]byte(`["canary"]`)) },
		"too much": func(w http.ResponseWriter) { _, _ = w.Write(bytes.Repeat([]byte(" "), 1<<20)) },
		"nothing":  func(http.ResponseWriter) {},
		"an error of its own": func(w http.ResponseWriter) {
			w.WriteHeader(http.StatusBadRequest)
			_ = json.NewEncoder(w).Encode(map[string]string{"error": "canary"})
		},
		"that it knows us not": func(w http.ResponseWriter) {
			w.WriteHeader(http.StatusUnauthorized)
			_ = json.NewEncoder(w).Encode(map[string]string{"error": "invalid_client"})
		},
		"a page as a bad input": func(w http.ResponseWriter) {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = w.Write([]byte("<p>canary"))
		},
	} {
		s.client.Answer = func(w http.ResponseWriter) bool { answer(w); return true }
		s.assertRefused(what, back, vault.BadGateway)
	}
	s.client.Answer = nil
	s.client.Secret = "another"
	s.assertRefused("another secret", back, vault.BadGateway)

	for code, kind := range map[string]vault.Kind{
		"access_denied": vault.Denied, "server_error": vault.BadGateway, "canary": vault.BadGateway,
	} {
		s.client.Query = func(q url.Values) {
			q.Del("code")
			q.Set("error", code)
			q.Set("error_description", "<script>canary")
		}
		s.assertRefused("the provider says "+code, s.visit(), kind)
	}
	s.client.Query = nil
	s.later = 2 * time.Hour
	s.SetDown(true)
	s.assertRefused("it is down", back, vault.BadGateway)
	if _, err := s.provider.Address(t.Context(), s.attempt); vault.KindOf(err) != vault.BadGateway {
		t.Errorf("where to go while it is down: %v", err)
	}
	if err := s.provider.Check(t.Context()); vault.KindOf(err) != vault.BadGateway {
		t.Errorf("whether it is there while it is down: %v", err)
	}
}

func TestAProviderIsReachedByHTTPSAlone(t *testing.T) {
	for what, change := range map[string]map[string]any{
		"no place to sign in":   {"authorization_endpoint": ""},
		"plain http":            {"authorization_endpoint": "http://id.example.org/a"},
		"a script":              {"authorization_endpoint": "javascript:alert(1)"},
		"no token endpoint":     {"token_endpoint": ""},
		"a token by plain http": {"token_endpoint": "http://id.example.org/t"},
	} {
		s := startSignIn(t)
		document := map[string]any{
			"issuer": s.URL, "jwks_uri": s.URL + issuertest.KeySet,
			"authorization_endpoint": s.URL + issuertest.Authorize,
			"token_endpoint":         s.URL + issuertest.Exchange,
		}
		for name, value := range change {
			document[name] = value
		}
		s.Replace(issuertest.Discovery, document)
		address, err := s.provider.Address(t.Context(), s.attempt)
		if vault.KindOf(err) != vault.BadGateway || address != "" {
			t.Errorf("%s: %q (%v)", what, address, err)
		}
	}
}

func TestIssuersThatUsersNameInRulesMakeNobodyForgetTheProvider(t *testing.T) {
	s := startSignIn(t)
	if err := s.provider.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	token := s.Token("ES256", s.Claims(here, nil))
	for i := range 1024 { // as many as are kept; none can be reached
		_, _ = s.verifier.Verify(t.Context(), "other-"+strconv.Itoa(i), here,
			plaintext.FromString(token))
	}
	s.SetDown(true)
	if err := s.provider.Check(t.Context()); err != nil {
		t.Errorf("what is known of the provider is forgotten: %v", err)
	}
}
