package issuer_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/keysake/keysake/internal/issuer"
	"github.com/keysake/keysake/internal/issuer/issuertest"
	"github.com/keysake/keysake/internal/netguard"
	"github.com/keysake/keysake/internal/vault"
	"github.com/keysake/keysake/plaintext"
)

const here = "https://keysake.example.org"

// A site is an issuer, and what verifies its tokens by a clock of its own.
type site struct {
	*issuertest.Issuer

	t        *testing.T
	verifier *issuer.Verifier
	later    time.Duration
}

func start(t *testing.T) *site {
	t.Helper()
	s := &site{Issuer: issuertest.Start(t), t: t}
	guard := netguard.New(netguard.Options{
		Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Roots: s.Roots,
	})
	transport := guard.Transport()
	t.Cleanup(transport.CloseIdleConnections)
	s.verifier = issuer.New(transport, func() time.Time { return time.Now().Add(s.later) })
	return s
}

func (s *site) verify(token string) (vault.Shown, error) {
	return s.verifier.Verify(s.t.Context(), s.URL, here, plaintext.FromString(token))
}

// accepts checks that a token is accepted.
func (s *site) accepts(what, token string) vault.Shown {
	s.t.Helper()
	shown, err := s.verify(token)
	if err != nil {
		s.t.Errorf("%s: %v", what, err)
	}
	return shown
}

// refuses checks that a token is refused, for a reason that has this text, and that the error has
// nothing of the token.
func (s *site) refuses(what, token, reason string) {
	s.t.Helper()
	shown, err := s.verify(token)
	if vault.KindOf(err) != vault.Unauthenticated || !strings.Contains(err.Error(), reason) {
		s.t.Errorf("%s: got %v, want %q", what, err, reason)
		return
	}
	if shown.Subject != "" || shown.Claims != nil {
		s.t.Errorf("%s: an error, and yet claims", what)
	}
	for part := range strings.SplitSeq(token, ".") {
		if len(part) > 20 && strings.Contains(err.Error(), part[:20]) {
			s.t.Errorf("%s: the error repeats the token", what)
		}
	}
}

func TestATokenOfEachAlgorithmIsAccepted(t *testing.T) {
	s := start(t)
	for _, alg := range []string{"RS256", "PS256", "ES256", "EdDSA"} {
		claims := s.Claims(here, map[string]any{"repository": "acme/evals", "run": 7})
		shown := s.accepts(alg, s.Token(alg, claims))
		if shown.Subject != "job" || shown.Claims["repository"] != "acme/evals" {
			t.Errorf("%s: the claims are %v", alg, shown.Claims)
		}
		if _, found := shown.Claims["run"]; found {
			t.Errorf("%s: a number passes for a text", alg)
		}
	}
	if n := s.Asked(issuertest.KeySet); n != 1 {
		t.Errorf("the keys were asked for %d times", n)
	}
}

func TestATokenIsForThisIssuerAudienceAndTime(t *testing.T) {
	s := start(t)
	now := time.Now().Unix()
	for what, c := range map[string]struct {
		change map[string]any
		reason string // empty for one that is accepted
	}{
		"one of several audiences":      {map[string]any{"aud": []string{"other", here}}, ""},
		"no audience":                   {map[string]any{"aud": nil}, "lacks"},
		"an empty list":                 {map[string]any{"aud": []string{}}, "lacks"},
		"another audience":              {map[string]any{"aud": "other"}, "another audience"},
		"an audience with a slash":      {map[string]any{"aud": here + "/"}, "another audience"},
		"an audience in capitals":       {map[string]any{"aud": strings.ToUpper(here)}, "another audience"},
		"an audience that is an object": {map[string]any{"aud": map[string]any{here: 1}}, "claims"},
		"an audience in a list in a list": {
			map[string]any{"aud": []any{[]string{here}}}, "claims",
		},
		"no issuer":                 {map[string]any{"iss": nil}, "lacks"},
		"another issuer":            {map[string]any{"iss": "https://other.example"}, "another issuer"},
		"an issuer with a slash":    {map[string]any{"iss": s.URL + "/"}, "another issuer"},
		"an issuer with a path":     {map[string]any{"iss": s.URL + "/a"}, "another issuer"},
		"an issuer that is a list":  {map[string]any{"iss": []string{s.URL}}, "claims"},
		"no expiry":                 {map[string]any{"exp": nil}, "lacks"},
		"an expiry as text":         {map[string]any{"exp": "9999999999"}, "claims"},
		"expired, within the skew":  {map[string]any{"exp": now - 30}, ""},
		"expired":                   {map[string]any{"exp": now - 90}, "expired"},
		"long expired":              {map[string]any{"exp": -1}, "expired"},
		"a year to go":              {map[string]any{"exp": now + 365*86400}, "24 hours"},
		"an expiry without end":     {map[string]any{"exp": 1e300}, ""},
		"not yet, within the skew":  {map[string]any{"nbf": now + 30}, ""},
		"not yet":                   {map[string]any{"nbf": now + 90}, "not valid yet"},
		"issued, within the skew":   {map[string]any{"iat": now + 30}, ""},
		"issued in the future":      {map[string]any{"iat": now + 90}, "future"},
		"without nbf, iat and jti":  {map[string]any{"nbf": nil, "iat": nil, "jti": nil}, ""},
		"no subject":                {map[string]any{"sub": nil}, "subject"},
		"an empty subject":          {map[string]any{"sub": ""}, "subject"},
		"a subject for a terminal":  {map[string]any{"sub": "a\x1b[2J"}, "subject"},
		"a subject that is too big": {map[string]any{"sub": strings.Repeat("a", 513)}, "subject"},
	} {
		token := s.Token("ES256", s.Claims(here, c.change))
		switch {
		case what == "an expiry without end":
			if _, err := s.verify(token); vault.KindOf(err) != vault.Unauthenticated {
				t.Errorf("%s: %v", what, err)
			}
		case c.reason == "":
			s.accepts(what, token)
		default:
			s.refuses(what, token, c.reason)
		}
	}
}

func TestTheIssuerDoesNotLendItsKeyToOtherAlgorithms(t *testing.T) {
	s := start(t)
	claims := s.Claims(here, nil)
	s.accepts("the right one", s.Token("RS256", s.Claims(here, nil)))
	der, err := x509.MarshalPKIXPublicKey(s.Key("RS256").Public())
	if err != nil {
		t.Fatal(err)
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	modulus := s.Key("RS256").Public().(*rsa.PublicKey).N.Bytes()
	for what, secret := range map[string][]byte{
		"the key in PEM": public, "the key in DER": der, "the modulus": modulus, "nothing": {},
	} {
		for _, alg := range []string{"HS256", "HS384", "HS512"} {
			token := jwt.NewWithClaims(jwt.GetSigningMethod(alg), claims)
			token.Header["kid"] = "RS256"
			text, err := token.SignedString(secret)
			if err != nil {
				t.Fatal(err)
			}
			s.refuses(alg+" with "+what, text, "kind")
		}
	}
	none := jwt.NewWithClaims(jwt.SigningMethodNone, claims)
	none.Header["kid"] = "RS256"
	text, err := none.SignedString(jwt.UnsafeAllowNoneSignatureType)
	if err != nil {
		t.Fatal(err)
	}
	s.refuses("none", text, "kind")
	signature := text + strings.SplitAfterN(s.Token("RS256", claims), ".", 3)[2]
	s.refuses("none with a signature", signature, "kind")
	for _, alg := range []string{"None", "NONE", "nOnE", "rs256", "", "RS256 "} {
		s.refuses("the algorithm "+alg, with(t, s.Token("RS256", claims), "alg", alg), "kind")
	}
	for _, alg := range []string{"RS384", "RS512", "PS384"} {
		token := jwt.NewWithClaims(jwt.GetSigningMethod(alg), claims)
		token.Header["kid"] = "RS256"
		text, err := token.SignedString(s.Key("RS256"))
		if err != nil {
			t.Fatal(err)
		}
		s.refuses(alg, text, "kind")
	}
	// A key of one kind under an algorithm of another.
	for _, alg := range []string{"RS256", "ES256", "EdDSA"} {
		for _, id := range []string{"RS256", "ES256", "EdDSA"} {
			if id != alg {
				token := s.TokenWith(alg, claims, map[string]any{"kid": id})
				s.refuses(alg+" by the key for "+id, token, "no key")
			}
		}
	}
}

// with returns a token with another member in its header. Its signature stays.
func with(t *testing.T, token, name string, value any) string {
	t.Helper()
	head, rest, _ := strings.Cut(token, ".")
	b, err := base64.RawURLEncoding.DecodeString(head)
	if err != nil {
		t.Fatal(err)
	}
	header := map[string]any{}
	if err := json.Unmarshal(b, &header); err != nil {
		t.Fatal(err)
	}
	header[name] = value
	if b, err = json.Marshal(header); err != nil {
		t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(b) + "." + rest
}

func TestAHeaderDoesNotSayWhereTheKeyIs(t *testing.T) {
	s := start(t)
	own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]any{
		"jwk": issuertest.JWK(own.Public()), "jku": s.URL + issuertest.KeySet,
		"x5u": s.URL + "/certificate", "x5c": []string{"MIIB"}, "crit": []string{"exp"},
		"b64": false, "zip": "DEF", "enc": "A256GCM",
	} {
		claims := s.Claims(here, nil)
		header := map[string]any{name: value}
		s.refuses(name, s.TokenWith("ES256", claims, header), "header has "+name)
		token := jwt.NewWithClaims(jwt.SigningMethodES256, claims)
		token.Header[name], token.Header["kid"] = value, "ES256"
		forged, err := token.SignedString(own)
		if err != nil {
			t.Fatal(err)
		}
		s.refuses(name+" with a key of one's own", forged, "header has "+name)
	}
	claims := s.Claims(here, nil)
	for typ, accepted := range map[any]bool{
		"JWT": true, "jwt": true, nil: true, "at+jwt": false, "logout+jwt": false, 7: false,
	} {
		token := s.TokenWith("ES256", claims, map[string]any{"typ": typ})
		if accepted {
			s.accepts("the type", token)
		} else {
			s.refuses("the type", token, "another type")
		}
	}
}

func TestAnotherKeysSignatureIsNotTheIssuers(t *testing.T) {
	s := start(t)
	other := issuertest.Start(t)
	other.AddKey("RS256", "RS256")
	other.AddKey("PS256", "PS256")
	claims := s.Claims(here, nil)
	for _, alg := range []string{"RS256", "PS256", "ES256", "EdDSA"} {
		s.refuses(alg, other.Token(alg, claims), "signature")
		good := s.Token(alg, claims)
		head, rest, _ := strings.Cut(good, ".")
		_, signature, _ := strings.Cut(rest, ".")
		b, err := json.Marshal(s.Claims(here, map[string]any{"sub": "another"}))
		if err != nil {
			t.Fatal(err)
		}
		changed := head + "." + base64.RawURLEncoding.EncodeToString(b) + "." + signature
		s.refuses(alg+" over other claims", changed, "signature")
		s.refuses(alg+" without it", strings.TrimSuffix(good, signature), "signature")
	}
	zeros := base64.RawURLEncoding.EncodeToString(make([]byte, 64))
	good := s.Token("ES256", claims)
	s.refuses("a signature of zeros", good[:strings.LastIndexByte(good, '.')+1]+zeros, "signature")
}

func TestWhatCanBeReadInTwoWaysIsRefused(t *testing.T) {
	s := start(t)
	good := s.Token("ES256", s.Claims(here, nil))
	text := func(part string) string { return base64.RawURLEncoding.EncodeToString([]byte(part)) }
	header, claims := `{"alg":"ES256","kid":"ES256"}`, `{"iss":"`+s.URL+`","aud":"`+here+`"}`
	deep := strings.Repeat(`{"a":`, 20) + "1" + strings.Repeat("}", 20)
	for what, token := range map[string]string{
		"nothing": "", "a word": "token", "two parts": "a.b", "four parts": good + ".a",
		"encrypted, in five parts": "a.b.c.d.e", "dots": "..",
		"a header twice":           text(`{"alg":"none","alg":"ES256"}`) + "." + text(claims) + ".a",
		"a claim twice":            text(header) + "." + text(`{"aud":"x","aud":"`+here+`"}`) + ".a",
		"a claim twice, inside":    text(header) + "." + text(`{"a":{"b":1,"b":2}}`) + ".a",
		"more after the claims":    text(header) + "." + text(claims+claims) + ".a",
		"claims that are a list":   text(header) + ".W10.a",
		"claims that are null":     text(header) + "." + text("null") + ".a",
		"claims that nest deep":    text(header) + "." + text(deep) + ".a",
		"claims that are no UTF-8": text(header) + "." + text("{\"a\":\"\xff\"}") + ".a",
		"padding":                  strings.Replace(good, ".", "=.", 1),
		"a line feed inside":       good[:10] + "\n" + good[10:],
		"a space at the end":       good + " ",
		"too long":                 good + strings.Repeat("a", 16<<10),
		"a line feed in the end":   good[:len(good)-5] + "\n" + good[len(good)-5:],
	} {
		s.refuses(what, token, "")
	}
	if n := s.Asked(issuertest.KeySet); n != 0 {
		t.Errorf("for what is no JWT, the issuer was asked %d times", n)
	}
}

func TestASignatureInAnotherSpellingIsTheSameToken(t *testing.T) {
	s := start(t)
	token := s.Token("ES256", s.Claims(here, map[string]any{"jti": nil}))
	at := strings.LastIndexByte(token, '.') + 1
	b, err := base64.RawURLEncoding.DecodeString(token[at:])
	if err != nil {
		t.Fatal(err)
	}
	// With s, n - s is a signature, too.
	n := elliptic.P256().Params().N
	new(big.Int).Sub(n, new(big.Int).SetBytes(b[32:])).FillBytes(b[32:])
	other := token[:at] + base64.RawURLEncoding.EncodeToString(b)
	if s.accepts("a token", token).ID != s.accepts("in another spelling", other).ID {
		t.Error("one token passes for two")
	}
	first, second := s.Claims(here, nil), s.Claims(here, nil)
	second["jti"] = first["jti"]
	second["sub"] = "another"
	if s.accepts("a token", s.Token("ES256", first)).ID !=
		s.accepts("another with its id", s.Token("RS256", second)).ID {
		t.Error("two tokens with one id count as two")
	}
}

func TestKeysAreRotated(t *testing.T) {
	s := start(t)
	token := func(id string) string {
		return s.TokenWith("ES256", s.Claims(here, nil), map[string]any{"kid": id})
	}
	s.accepts("the first key", token("ES256"))
	old := token("ES256")
	s.AddKey("ES256", "ES256") // another key under the id
	s.RemoveKey("RS256")
	s.accepts("the old key, as it is in the memory", old)
	s.later = 16 * time.Minute
	claims := s.Claims(here, map[string]any{"exp": time.Now().Add(time.Hour).Unix()})
	s.accepts("the new key", s.Token("ES256", claims))
	s.later = 17 * time.Minute
	s.refuses("the old key", old, "")
	asked := s.Asked(issuertest.KeySet)
	for range 5 {
		s.refuses("an id that nobody has", s.TokenWith("ES256", claims,
			map[string]any{"kid": rand.Text()}), "no key")
	}
	if n := s.Asked(issuertest.KeySet) - asked; n != 1 {
		t.Errorf("for five unknown ids the issuer was asked %d times", n)
	}
}

func TestAnIssuerThatIsAwayIsMissedAfterAnHour(t *testing.T) {
	s := start(t)
	claims := s.Claims(here, map[string]any{"exp": time.Now().Add(5 * time.Hour).Unix()})
	s.accepts("a token", s.Token("ES256", claims))
	s.SetDown(true)
	s.later = 50 * time.Minute
	s.accepts("within the hour", s.Token("ES256", claims))
	s.later = 70 * time.Minute
	_, err := s.verify(s.Token("ES256", claims))
	if vault.KindOf(err) != vault.BadGateway {
		t.Errorf("after an hour: %v", err)
	}
	s.SetDown(false)
	s.later = 72 * time.Minute
	s.accepts("when it is back", s.Token("ES256", claims))
}

func TestAnIssuersDocumentsAreItsOwn(t *testing.T) {
	document := func(issuer, keys string) map[string]any {
		return map[string]any{"issuer": issuer, "jwks_uri": keys}
	}
	big := strings.Repeat("a", 300<<10)
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	set := func(keys ...map[string]any) map[string]any { return map[string]any{"keys": keys} }
	of := func(key crypto.PublicKey, more map[string]any) map[string]any {
		k := issuertest.JWK(key)
		for name, value := range more {
			k[name] = value
		}
		return k
	}
	for what, change := range map[string]func(*site){
		"another issuer": func(s *site) {
			s.Replace(issuertest.Discovery, document("https://other.example", s.URL+"/keys"))
		},
		"a slash more": func(s *site) {
			s.Replace(issuertest.Discovery, document(s.URL+"/", s.URL+"/keys"))
		},
		"keys by http": func(s *site) {
			s.Replace(issuertest.Discovery,
				document(s.URL, strings.Replace(s.URL, "https", "http", 1)+"/keys"))
		},
		"keys in a file": func(s *site) {
			s.Replace(issuertest.Discovery, document(s.URL, "file:///etc/passwd"))
		},
		"keys at a private address": func(s *site) {
			s.Replace(issuertest.Discovery, document(s.URL, "https://169.254.169.254/keys"))
		},
		"a redirect": func(s *site) { s.Replace(issuertest.Discovery, s.URL+"/elsewhere") },
		"a redirect of the keys": func(s *site) {
			s.Replace(issuertest.KeySet, s.URL+"/elsewhere")
		},
		"a document that is too long": func(s *site) {
			s.Replace(issuertest.Discovery, document(s.URL, big))
		},
		"no key": func(s *site) { s.Replace(issuertest.KeySet, set()) },
		"a weak key": func(s *site) {
			s.Replace(issuertest.KeySet, set(of(weak.Public(), nil)))
		},
		"another curve": func(s *site) {
			s.Replace(issuertest.KeySet, set(of(p384.Public(), nil)))
		},
		"a point that is not on the curve": func(s *site) {
			s.Replace(issuertest.KeySet, set(of(s.Key("ES256").Public(),
				map[string]any{"x": base64.RawURLEncoding.EncodeToString(make([]byte, 32))})))
		},
		"a key to encrypt with": func(s *site) {
			s.Replace(issuertest.KeySet, set(of(s.Key("ES256").Public(),
				map[string]any{"use": "enc"})))
		},
		"a symmetric key": func(s *site) {
			s.Replace(issuertest.KeySet, set(map[string]any{"kty": "oct", "k": "c2VjcmV0"}))
		},
	} {
		s := start(t)
		change(s)
		_, err := s.verify(s.Token("ES256", s.Claims(here, nil)))
		if vault.KindOf(err) != vault.BadGateway {
			t.Errorf("%s: %v", what, err)
		}
	}
	s := start(t)
	s.Replace(issuertest.KeySet, set(of(s.Key("RS256").Public(),
		map[string]any{"kid": "RS256", "alg": "RS256"})))
	s.accepts("with the algorithm of the key", s.Token("RS256", s.Claims(here, nil)))
	other := jwt.NewWithClaims(jwt.SigningMethodPS256, s.Claims(here, nil))
	other.Header["kid"] = "RS256"
	text, err := other.SignedString(s.Key("RS256"))
	if err != nil {
		t.Fatal(err)
	}
	s.refuses("with another", text, "no key")
}

func TestWithoutAnIdTheKeyMustBeTheOnlyOne(t *testing.T) {
	s := start(t)
	token := func() string {
		return s.TokenWith("ES256", s.Claims(here, nil), map[string]any{"kid": nil})
	}
	s.accepts("the only key of its kind", token())
	s = start(t)
	s.AddKey("second", "ES256")
	s.refuses("one of two", token(), "no key")
}

func TestNoAddressOfThisNetworkIsAsked(t *testing.T) {
	s := start(t)
	guard := netguard.New(netguard.Options{Roots: s.Roots}) // as an operator has it
	v := issuer.New(guard.Transport(), nil)
	token := plaintext.FromString(s.Token("ES256", s.Claims(here, nil)))
	if _, err := v.Verify(t.Context(), s.URL, here, token); vault.KindOf(err) != vault.BadGateway {
		t.Error(err)
	}
	if s.Asked(issuertest.Discovery) != 0 {
		t.Error("an issuer on loopback was asked")
	}
}
