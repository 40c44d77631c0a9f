package web_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"net/http"
	"strings"
	"testing"

	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/internal/config"
)

const (
	passkeySignIn = "/ui/sign-in/passkey"
	passkeyCookie = cookie + "-passkey"
)

// atName starts a server, and has browsers reach it by the name at which they make passkeys.
func atName(t *testing.T, change ...func(*config.Config)) *apptest.Server {
	t.Helper()
	s := apptest.Start(t, change...)
	s.URL = strings.Replace(s.URL, "127.0.0.1", "localhost", 1)
	return s
}

// addPasskey signs somebody in by a link, and adds a passkey.
func (b *browser) addPasskey(name string) *authenticator {
	b.t.Helper()
	b.signIn(name)
	a := newAuthenticator(b.t, b.s)
	b.send("/ui/passkeys", "name", "laptop", "answer", a.create(b.begin("/ui/passkeys"))).
		leadsTo(b.t, "/ui/passkeys?done=passkey-added")
	return a
}

func (b *browser) signInWith(a *authenticator) page {
	b.t.Helper()
	return b.send(passkeySignIn, "answer", a.get(b.begin(passkeySignIn)))
}

func TestAPasskeySignsItsUserInWithASessionOfItsOwn(t *testing.T) {
	s := atName(t)
	s.NewUser(t, "mia")
	first := open(t, s)
	a := first.addPasskey("mia")
	if text := first.get("/ui/passkeys").want(t, 200).text; !strings.Contains(text, "laptop") {
		t.Errorf("the list does not have it:\n%s", text)
	}
	of := first.begin("/ui/passkeys").PublicKey
	if len(of.Not) != 1 || of.Not[0]["id"] != text64(a.id) {
		t.Errorf("a second one may be in the same place: %v", of.Not)
	}
	first.send("/ui/sign-out").leadsTo(t, "/ui/sign-in")
	b := open(t, s)
	planted := "kss_" + strings.Repeat("a", 49)
	b.cookies[cookie] = planted
	if of := b.begin(passkeySignIn).PublicKey; len(of.Allow) != 0 || of.RPID != "localhost" {
		t.Errorf("a stranger is asked for %v at %s", of.Allow, of.RPID)
	}
	set := b.send(passkeySignIn+"/begin").want(t, http.StatusOK).Header.Get("Set-Cookie")
	if !strings.HasPrefix(set, passkeyCookie+"=") ||
		!strings.HasSuffix(set, "; Path=/; Max-Age=300; HttpOnly; SameSite=Lax") {
		t.Errorf("what binds it to the browser is %s", set)
	}
	b.signInWith(a).leadsTo(t, "/ui/secrets?done=signed-in")
	session := b.cookies[cookie]
	if session == planted || session == "" {
		t.Fatal("the planted cookie became the session")
	}
	if _, kept := b.cookies[passkeyCookie]; kept {
		t.Error("the browser keeps what bound the sign-in")
	}
	b.signInWith(a).leadsTo(t, "/ui/secrets?done=signed-in")
	before := open(t, s)
	before.cookies[cookie] = session
	before.assertNobody("the session of before")
	answer := a.get(b.begin("/ui/confirm"))
	old := b.cookies[cookie]
	b.send("/ui/confirm", "answer", answer).want(t, http.StatusNoContent)
	if before.cookies[cookie] = old; b.cookies[cookie] == old {
		t.Error("the session that was confirmed has the cookie of before")
	}
	before.assertNobody("the session that was confirmed")
	b.get("/ui/secrets").want(t, http.StatusOK)
	for what, secret := range map[string]string{
		"an answer": answer, "an id": text64(a.id), "a session": old,
	} {
		if strings.Contains(s.Logs.String(), secret) {
			t.Errorf("the log has %s", what)
		}
	}
}

func TestAnAnswerThatIsNotOfThisSignInOpensNothing(t *testing.T) {
	s := atName(t)
	s.NewUser(t, "mia")
	s.NewUser(t, "ben")
	a := open(t, s).addPasskey("mia")
	bens := open(t, s).addPasskey("ben")
	for what, lie := range map[string]func(a *authenticator, b *browser) string{
		"another origin": func(a *authenticator, b *browser) string {
			a.origin = "https://evil.example"
			return a.get(b.begin(passkeySignIn))
		},
		"another port": func(a *authenticator, b *browser) string {
			a.origin = "http://localhost:1"
			return a.get(b.begin(passkeySignIn))
		},
		"by TLS": func(a *authenticator, b *browser) string {
			a.origin = strings.Replace(s.URL, "http:", "https:", 1)
			return a.get(b.begin(passkeySignIn))
		},
		"an origin in capitals": func(a *authenticator, b *browser) string {
			a.origin = strings.ToUpper(s.URL)
			return a.get(b.begin(passkeySignIn))
		},
		"an origin with a path": func(a *authenticator, b *browser) string {
			a.origin += "/"
			return a.get(b.begin(passkeySignIn))
		},
		"no origin": func(a *authenticator, b *browser) string {
			a.origin = ""
			return a.get(b.begin(passkeySignIn))
		},
		"in a frame of another site": func(a *authenticator, b *browser) string {
			a.crossOrigin = true
			return a.get(b.begin(passkeySignIn))
		},
		"of another site": func(a *authenticator, b *browser) string {
			a.rp = "evil.example"
			return a.get(b.begin(passkeySignIn))
		},
		"without a fingerprint or a PIN": func(a *authenticator, b *browser) string {
			a.flags = flagVerified
			return a.get(b.begin(passkeySignIn))
		},
		"with nobody there": func(a *authenticator, b *browser) string {
			a.flags = flagPresent
			return a.get(b.begin(passkeySignIn))
		},
		"of a new passkey": func(a *authenticator, b *browser) string {
			a.kind = "webauthn.create"
			return a.get(b.begin(passkeySignIn))
		},
		"another user's name": func(a *authenticator, b *browser) string {
			a.user = bens.user
			return a.get(b.begin(passkeySignIn))
		},
		"no user's name": func(a *authenticator, b *browser) string {
			a.user = nil
			return a.get(b.begin(passkeySignIn))
		},
		"another passkey's signature": func(a *authenticator, b *browser) string {
			a.key = bens.key
			return a.get(b.begin(passkeySignIn))
		},
		"an unknown passkey": func(a *authenticator, b *browser) string {
			a.id = []byte("unknown")
			return a.get(b.begin(passkeySignIn))
		},
		"the challenge of another browser": func(a *authenticator, b *browser) string {
			b.begin(passkeySignIn)
			return a.get(open(t, s).begin(passkeySignIn))
		},
		"a challenge before the last": func(a *authenticator, b *browser) string {
			answer := a.get(b.begin(passkeySignIn))
			b.begin(passkeySignIn)
			return answer
		},
		"a challenge that it made": func(a *authenticator, b *browser) string {
			of := b.begin(passkeySignIn)
			of.PublicKey.Challenge = text64(make([]byte, 32))
			return a.get(of)
		},
		"a challenge that is over": func(a *authenticator, b *browser) string {
			answer := a.get(b.begin(passkeySignIn))
			_, random, _ := strings.Cut(b.cookies[passkeyCookie], ".")
			b.cookies[passkeyCookie] = "1." + random
			return answer
		},
		"no challenge": func(a *authenticator, b *browser) string {
			answer := a.get(b.begin(passkeySignIn))
			delete(b.cookies, passkeyCookie)
			return answer
		},
		"nothing": func(_ *authenticator, b *browser) string { b.begin(passkeySignIn); return "" },
		"no JSON": func(_ *authenticator, b *browser) string { b.begin(passkeySignIn); return "{" },
		"a list":  func(_ *authenticator, b *browser) string { b.begin(passkeySignIn); return "[]" },
		"an empty object": func(_ *authenticator, b *browser) string {
			b.begin(passkeySignIn)
			return "{}"
		},
		"a second object": func(a *authenticator, b *browser) string {
			return a.get(b.begin(passkeySignIn)) + "{}"
		},
		"a long answer": func(a *authenticator, b *browser) string {
			return a.get(b.begin(passkeySignIn)) + strings.Repeat(" ", 20<<10)
		},
		"a deep answer": func(_ *authenticator, b *browser) string {
			b.begin(passkeySignIn)
			return strings.Repeat("[", 10_000)
		},
	} {
		liar, b := *a, open(t, s)
		p := b.send(passkeySignIn, "answer", lie(&liar, b))
		if p.StatusCode != http.StatusUnauthorized || strings.Contains(p.text, "origin") {
			t.Errorf("%s is answered with %d:\n%s", what, p.StatusCode, p.text)
		}
		b.assertNobody(what)
	}
	p := open(t, s).send(passkeySignIn, "answer", strings.Repeat("x", 600<<10))
	p.want(t, http.StatusRequestEntityTooLarge)
	open(t, s).signInWith(a).leadsTo(t, "/ui/secrets")
}

func TestAnAnswerOfAPasskeyIsGoodOnceAndInItsOwnBrowser(t *testing.T) {
	s := atName(t)
	s.NewUser(t, "mia")
	a := open(t, s).addPasskey("mia")
	b, thief := open(t, s), open(t, s)
	answer := a.get(b.begin(passkeySignIn))
	kept := b.cookies[passkeyCookie]
	b.send(passkeySignIn, "answer", answer).leadsTo(t, "/ui/secrets")
	thief.send(passkeySignIn, "answer", answer).want(t, http.StatusUnauthorized)
	thief.cookies[passkeyCookie] = kept
	thief.send(passkeySignIn, "answer", answer).want(t, http.StatusForbidden)
	b.send("/ui/sign-out")
	thief.cookies[passkeyCookie] = kept
	thief.send(passkeySignIn, "answer", answer).want(t, http.StatusForbidden)
	thief.assertNobody("an answer for the second time")
	for _, planted := range []string{"", "x", kept + "x", "99999999999." + kept} {
		thief.cookies[passkeyCookie] = planted
		thief.send(passkeySignIn, "answer", answer).want(t, http.StatusUnauthorized)
	}

	// what is signed for one purpose, or in one session, is no use elsewhere
	b.signInWith(a).leadsTo(t, "/ui/secrets")
	answer = a.get(b.begin(passkeySignIn))
	b.send("/ui/confirm", "answer", answer).want(t, http.StatusUnauthorized)
	answer = a.get(b.begin("/ui/confirm"))
	b.send(passkeySignIn, "answer", answer).want(t, http.StatusUnauthorized)
	other := open(t, s)
	other.signInWith(a).leadsTo(t, "/ui/secrets")
	answer = a.get(b.begin("/ui/confirm"))
	other.cookies[passkeyCookie] = b.cookies[passkeyCookie]
	other.send("/ui/confirm", "answer", answer).want(t, http.StatusUnauthorized)
	b.get("/ui/secrets").want(t, http.StatusOK)
}

func TestACopyOfAPasskeyIsNoticedWhenItCountsBack(t *testing.T) {
	s := atName(t)
	s.NewUser(t, "mia")
	b := open(t, s)
	a := b.addPasskey("mia")
	a.count = 7
	b.signInWith(a).leadsTo(t, "/ui/secrets")
	stolen := *a
	a.count++
	b.signInWith(a).leadsTo(t, "/ui/secrets")
	thief := open(t, s)
	stolen.count++
	text := thief.signInWith(&stolen).want(t, http.StatusConflict).text
	if !strings.Contains(text, "somebody may have a copy") {
		t.Errorf("the page says:\n%s", text)
	}
	thief.assertNobody("a copy")
	if text := b.get("/ui/audit").want(t, 200).text; !strings.Contains(text, "may be two of it") {
		t.Errorf("the audit log has:\n%s", text)
	}
}

func TestOnlyANewPasskeyOfThisSessionIsAdded(t *testing.T) {
	s := atName(t)
	s.NewUser(t, "mia")
	s.NewUser(t, "ben")
	bens := open(t, s)
	taken := bens.addPasskey("ben")
	b := open(t, s)
	b.signIn("mia")
	const add = "/ui/passkeys"
	onAnother, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	apptest.Must(t, err)
	for what, c := range map[string]struct {
		lie  func(a *authenticator) string
		want int
	}{
		"the challenge of another session": {func(a *authenticator) string {
			of := bens.begin(add)
			b.cookies[passkeyCookie] = bens.cookies[passkeyCookie]
			return a.create(of)
		}, 422},
		"the challenge of a sign-in": {func(a *authenticator) string {
			return a.create(b.begin(passkeySignIn))
		}, 422},
		"no challenge": {func(a *authenticator) string {
			answer := a.create(b.begin(add))
			delete(b.cookies, passkeyCookie)
			return answer
		}, 422},
		"another origin": {func(a *authenticator) string {
			a.origin = "https://evil.example"
			return a.create(b.begin(add))
		}, 422},
		"another site": {func(a *authenticator) string {
			a.rp = "evil.example"
			return a.create(b.begin(add))
		}, 422},
		"without a fingerprint or a PIN": {func(a *authenticator) string {
			a.flags = flagVerified
			return a.create(b.begin(add))
		}, 422},
		"an answer of one that there is": {func(a *authenticator) string {
			a.kind = "webauthn.get"
			return a.create(b.begin(add))
		}, 422},
		"another user's": {func(a *authenticator) string {
			a.id = taken.id
			return a.create(b.begin(add))
		}, 409},
		"a weak algorithm": {func(a *authenticator) string { // RS1
			a.cose = append([]byte{0xa4, 1, 3, 3, 0x39, 0xff, 0xfe, 0x20, 0x41, 1}, 0x21, 0x41, 3)
			return a.create(b.begin(add))
		}, 422},
		"an algorithm that was not offered": {func(a *authenticator) string { // ES384
			a.key = onAnother
			a.cose = a.coseKey384()
			return a.create(b.begin(add))
		}, 422},
		"a key of another kind than its algorithm": {func(a *authenticator) string { // EdDSA
			a.cose = a.coseKey()
			a.cose[4] = 0x27
			return a.create(b.begin(add))
		}, 422},
		"a point that is on no curve": {func(a *authenticator) string {
			a.cose = a.coseKey()
			a.cose[len(a.cose)-1] ^= 1
			return a.create(b.begin(add))
		}, 422},
		"no key": {func(a *authenticator) string {
			a.cose = []byte{0xa0}
			return a.create(b.begin(add))
		}, 422},
		"nothing": {func(*authenticator) string { b.begin(add); return "" }, 422},
		"a long answer": {func(a *authenticator) string {
			return a.create(b.begin(add)) + strings.Repeat(" ", 20<<10)
		}, 422},
	} {
		answer := c.lie(newAuthenticator(t, s))
		if p := b.send(add, "answer", answer); p.StatusCode != c.want {
			t.Errorf("%s is answered with %d:\n%s", what, p.StatusCode, p.text)
		}
	}
	of := newAuthenticator(t, s)
	b.send(add, "name", "a\x00", "answer", of.create(b.begin(add))).want(t, 422)
	b.send(add, "name", strings.Repeat("x", 1001), "answer", of.create(b.begin(add))).want(t, 422)
	if text := b.get(add).want(t, 200).text; !strings.Contains(text, "You have none") {
		t.Errorf("one was stored:\n%s", text)
	}
	// who made the authenticator is not asked, and what it says of that not looked at
	of.statement = []byte("\x63fmt\x63tpm\x67attStmt\xa1\x63ver\x632.0")
	b.send(add, "answer", of.create(b.begin(add))).leadsTo(t, add+"?done=passkey-added")
}

func TestNoOtherSiteHasAPasskeyUsed(t *testing.T) {
	s := atName(t)
	s.NewUser(t, "mia")
	b := open(t, s)
	a := b.addPasskey("mia")
	id := idIn.FindStringSubmatch(b.get("/ui/passkeys").text)[1]
	for _, from := range []string{"cross-site", "same-site"} {
		for _, path := range []string{
			passkeySignIn + "/begin", passkeySignIn, "/ui/passkeys/begin", "/ui/passkeys",
			"/ui/confirm/begin", "/ui/confirm", "/ui/passkeys/" + id + "/remove",
		} {
			b.headers = map[string]string{"Sec-Fetch-Site": from}
			b.send(path, "answer", "{}").want(t, http.StatusForbidden)
		}
	}
	b.headers = map[string]string{}
	for _, path := range []string{"/ui/passkeys", "/ui/confirm", "/ui/passkeys/" + id + "/remove"} {
		if p := open(t, s).send(path); p.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s by nobody is answered with %d", path, p.StatusCode)
		}
	}
	ben := open(t, s)
	s.NewUser(t, "ben")
	ben.signIn("ben")
	ben.send("/ui/passkeys/"+id+"/remove").want(t, http.StatusNotFound)
	ben.get("/ui/passkeys/"+id+"/remove").want(t, http.StatusNotFound)
	ben.send("/ui/confirm/begin").want(t, http.StatusNotFound) // who has none
	b.signInWith(a).leadsTo(t, "/ui/secrets")
	b.send("/ui/passkeys/"+id+"/remove").leadsTo(t, "/ui/passkeys?done=passkey-removed")
	b.assertNobody("who came by a passkey that was removed")
	b.signInWith(a).want(t, http.StatusUnauthorized)
}

func TestPasskeysAreOfferedWhereBrowsersMakeThem(t *testing.T) {
	const offer = "Sign in with a passkey"
	s := apptest.Start(t)
	b := open(t, s) // at the address that is a number
	b.signIn("dev")
	for _, path := range []string{"/ui/sign-in", "/ui/passkeys"} {
		text := b.get(path).want(t, 200).text
		if !strings.Contains(text, "http://localhost:") || strings.Contains(text, "data-passkey") {
			t.Errorf("%s does not say where passkeys are:\n%s", path, text)
		}
	}
	s = atName(t, func(c *config.Config) { c.PublicURL = "http://127.0.0.1:8420" })
	b = open(t, s)
	if text := b.get("/ui/sign-in").want(t, 200).text; strings.Contains(text, "passkey") {
		t.Errorf("where there are none, the page speaks of passkeys:\n%s", text)
	}
	b.send(passkeySignIn+"/begin").want(t, http.StatusNotFound)
	b.signIn("dev")
	if text := b.get("/ui/passkeys").want(t, 200).text; !strings.Contains(text, "--public-url") {
		t.Errorf("the page does not say what to do:\n%s", text)
	}
	s = atName(t, func(c *config.Config) { c.PublicURL = "https://Keysake.example.org:443/" })
	b = open(t, s)
	b.headers = map[string]string{"X-Forwarded-Host": "evil.example"}
	if text := b.get("/ui/sign-in").text; strings.Contains(text, offer) ||
		!strings.Contains(text, "https://keysake.example.org/ui/sign-in") {
		t.Errorf("the page does not lead to the address of the server:\n%s", text)
	}
	if of := b.begin(passkeySignIn).PublicKey; of.RPID != "keysake.example.org" {
		t.Errorf("passkeys are asked for as of %s", of.RPID)
	}
}

func TestAStrangerTriesPasskeysOnlySoOften(t *testing.T) {
	s := atName(t, func(c *config.Config) { c.AuthFailureLimit = 6 })
	b := open(t, s)
	a := b.addPasskey("dev")
	for range 6 {
		b.send(passkeySignIn, "answer", "{}").want(t, http.StatusUnauthorized)
	}
	b.send(passkeySignIn, "answer", "{}").want(t, http.StatusTooManyRequests)
	b.signInWith(a).leadsTo(t, "/ui/secrets")
}
