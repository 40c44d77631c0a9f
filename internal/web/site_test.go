package web_test

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/plaintext"
)

// A browser is as much of one as these tests need: it keeps cookies, sends forms as from a page of
// the site, and follows no redirect.
type browser struct {
	t       *testing.T
	s       *apptest.Server
	cookies map[string]string
	headers map[string]string // in place of its own
	seen    *bytes.Buffer     // all that was answered
}

func open(t *testing.T, s *apptest.Server) *browser {
	t.Helper()
	return &browser{
		t: t, s: s, cookies: map[string]string{}, headers: map[string]string{},
		seen: &bytes.Buffer{},
	}
}

// A page is an answer.
type page struct {
	*http.Response

	text string
}

func (b *browser) do(method, path string, form url.Values) page {
	b.t.Helper()
	req, err := http.NewRequestWithContext(
		b.t.Context(), method, b.s.URL+path, strings.NewReader(form.Encode()))
	apptest.Must(b.t, err)
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Origin", b.s.URL)
		req.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	for name, value := range b.cookies {
		req.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	for name, value := range b.headers {
		req.Header.Del(name)
		if value != "" {
			req.Header.Set(name, value)
		}
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	apptest.Must(b.t, err)
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	apptest.Must(b.t, err)
	b.seen.Write(body)
	apptest.Must(b.t, resp.Header.Write(b.seen))
	for _, c := range resp.Cookies() {
		if b.cookies[c.Name] = c.Value; c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		}
	}
	return page{resp, string(body)}
}

func (b *browser) get(path string) page {
	b.t.Helper()
	return b.do(http.MethodGet, path, nil)
}

// send sends a form, of names and values in turn.
func (b *browser) send(path string, fields ...string) page {
	b.t.Helper()
	form := url.Values{}
	for i := 0; i < len(fields); i += 2 {
		form.Add(fields[i], fields[i+1])
	}
	return b.do(http.MethodPost, path, form)
}

func (p page) want(t *testing.T, status int) page {
	t.Helper()
	if p.StatusCode != status {
		t.Fatalf("%s %s is answered with %d, not %d\n%s",
			p.Request.Method, p.Request.URL.Path, p.StatusCode, status, p.text)
	}
	return p
}

// leadsTo checks that an answer leads a browser to a page of the site, and returns where.
func (p page) leadsTo(t *testing.T, prefix string) string {
	t.Helper()
	to := p.want(t, http.StatusSeeOther).Header.Get("Location")
	if !strings.HasPrefix(to, prefix) {
		t.Fatalf("%s leads to %s, not to %s", p.Request.URL.Path, to, prefix)
	}
	return to
}

// link makes a sign-in link for a user.
func link(t *testing.T, s *apptest.Server, name string) string {
	t.Helper()
	users, err := s.Client(t).ListUsers(t.Context())
	apptest.Must(t, err)
	for _, u := range users.Users {
		if u.Username == name {
			made, err := s.Client(t).CreateSignInLink(t.Context(), u.ID)
			apptest.Must(t, err)
			return made.Path
		}
	}
	t.Fatalf("no user %s", name)
	return ""
}

// signIn follows a new link of a user.
func (b *browser) signIn(name string) {
	b.t.Helper()
	path := link(b.t, b.s, name)
	if text := b.get(path).want(b.t, 200).text; !strings.Contains(text, "Sign in as "+name) {
		b.t.Fatalf("the page does not say who is signed in:\n%s", text)
	}
	_, token, _ := strings.Cut(path, "?link=")
	b.send("/ui/sign-in", "link", token).leadsTo(b.t, "/ui/secrets")
}

// cookie is the only one that the site sets on a development server.
const cookie = "keysake-dev"

var idIn = regexp.MustCompile(`/ui/[a-z]+/([0-9a-f-]{36})`)

// add stores a secret of any name, and returns the path of its page.
func (b *browser) add(name, value string) string {
	b.t.Helper()
	to := b.send("/ui/secrets/new", "name", name, "value", value).leadsTo(b.t, "/ui/secrets/")
	return "/ui/secrets/" + idIn.FindStringSubmatch(to)[1]
}

// field returns the value of a hidden field of a page.
func (p page) field(t *testing.T, name string) string {
	t.Helper()
	found := regexp.MustCompile(`name="` + name + `" value="([^"]*)"`).FindStringSubmatch(p.text)
	if found == nil {
		t.Fatalf("no field %s in\n%s", name, p.text)
	}
	return found[1]
}

var token = regexp.MustCompile(`ksk_[0-9A-Za-z]{49}`)

// keyIn returns the API key that a page shows.
func keyIn(t *testing.T, text string) plaintext.Value {
	t.Helper()
	found := token.FindString(text)
	if found == "" {
		t.Fatalf("no API key in\n%s", text)
	}
	return plaintext.FromString(found)
}

func second[T any](_ T, err error) error { return err }
