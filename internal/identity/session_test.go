package identity_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/keysake/keysake/internal/identity"
	"github.com/keysake/keysake/internal/vault"
	"github.com/keysake/keysake/plaintext"
)

func TestAFirstLinkIsStoredWhenItIsFollowed(t *testing.T) {
	_, v, token, _ := start(t)
	who, err := v.Authenticate(t.Context(), plaintext.FromString(token))
	if err != nil {
		t.Fatal(err)
	}
	sessions := identity.NewSessions(v, true)
	if _, err := sessions.LinkUser(t.Context(), plaintext.Value{}); err == nil {
		t.Error("before there is a link, nothing is one")
	}
	before, link := sessions.Offer(who), sessions.Offer(who)
	user, err := sessions.LinkUser(t.Context(), link)
	if err != nil || user.ID != who.User {
		t.Errorf("the link is of %v (%v)", user.ID, err)
	}
	signIn := func(link plaintext.Value) error {
		w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/", nil)
		_, err := sessions.SignIn(w, r, link, netip.Addr{})
		return err
	}
	if err := signIn(before); vault.KindOf(err) != vault.Unauthenticated {
		t.Errorf("the link of before: %v", err)
	}
	if err := signIn(link); err != nil {
		t.Errorf("the link: %v", err)
	}
	for _, none := range []plaintext.Value{link, {}} {
		if err := signIn(none); vault.KindOf(err) != vault.Unauthenticated {
			t.Errorf("a used link, or none: %v", err)
		}
	}
}

func TestOnlyADevelopmentServerHasACookieWithoutTheHostPrefix(t *testing.T) {
	_, v, token, _ := start(t)
	who, err := v.Authenticate(t.Context(), plaintext.FromString(token))
	if err != nil {
		t.Fatal(err)
	}
	for plain, want := range map[bool]string{
		false: "__Host-keysake=kss_*; Path=/; HttpOnly; Secure; SameSite=Lax",
		true:  "keysake-dev=kss_*; Path=/; HttpOnly; SameSite=Lax",
	} {
		_, link, err := v.CreateSignInLink(t.Context(), who, who.User)
		if err != nil {
			t.Fatal(err)
		}
		sessions, w := identity.NewSessions(v, plain), httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodPost, "/", nil)
		if _, err := sessions.SignIn(w, r, link, netip.Addr{}); err != nil {
			t.Fatal(err)
		}
		set := w.Header().Get("Set-Cookie")
		before, value, _ := strings.Cut(set, "kss_")
		_, after, _ := strings.Cut(value, ";")
		if got := before + "kss_*;" + after; got != want {
			t.Errorf("plain %v: %s", plain, got)
		}
		r.Header.Set("Cookie", strings.SplitN(set, ";", 2)[0])
		if _, err := sessions.Of(r); err != nil {
			t.Errorf("plain %v: the session is not found by its cookie: %v", plain, err)
		}
		other := identity.NewSessions(v, !plain)
		if _, err := other.Of(r); err == nil {
			t.Errorf("plain %v: the other cookie is taken", plain)
		}
	}
}
