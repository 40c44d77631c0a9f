package web

import (
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/middleware"
	"github.com/keysake/keysake/internal/vault"
)

// A handler answers one page or form.
type handler func(w http.ResponseWriter, r *request) error

// A request is one of a person who is signed in, unless its route is public.
type request struct {
	*http.Request

	session vault.Session
}

// id returns the id in the path. NotFound: it is none.
func (r *request) id() (uuid.UUID, error) {
	id, err := uuid.Parse(r.PathValue("id"))
	if err != nil {
		return uuid.Nil, errNoPage
	}
	return id, nil
}

// An access says who gets a page.
type access int

const (
	signedIn access = iota
	// fresh is for those who signed in a short time ago: what is dangerous. Its forms have no value
	// in them: see [site.notFresh].
	fresh
	// watching is for those who are signed in, and is no use of their session.
	watching
	public
)

const (
	requestTimeout = 10 * time.Second
	probeTimeout   = 20 * time.Second // of one that waits for a provider
	exportTimeout  = 10 * time.Minute
	maxForm        = 512 << 10 // the longest value, each byte of it escaped
)

// mount puts all pages and forms into the mux.
func (s *site) mount() {
	get := func(path string, by access, h handler) {
		s.handle("GET "+path, by, middleware.Limits{Timeout: requestTimeout}, h)
	}
	post := func(path string, by access, h handler) {
		s.handle("POST "+path, by, middleware.Limits{Timeout: requestTimeout, MaxBody: maxForm}, h)
	}
	asking := func(path string, h handler) {
		limits := middleware.Limits{Timeout: probeTimeout, MaxBody: maxForm}
		s.handle("POST "+path, signedIn, limits, h)
	}
	s.handle("/", public, middleware.Limits{Timeout: requestTimeout}, s.noPage)
	get("/{$}", public, toSecrets)
	get("/ui/{$}", public, toSecrets)
	get("/ui/static/{file}", public, s.asset)
	s.mountPeople(get, post)

	get("/ui/secrets", signedIn, s.listSecrets)
	get("/ui/secrets/new", signedIn, s.newSecret)
	asking("/ui/secrets/new", s.createSecret)
	get("/ui/secrets/import", signedIn, s.newImport)
	post("/ui/secrets/import", signedIn, s.importSecrets)
	get("/ui/secrets/{id}", signedIn, s.showSecret)
	post("/ui/secrets/{id}/update", signedIn, s.updateSecret)
	post("/ui/secrets/{id}/rename", signedIn, s.renameSecret)
	post("/ui/secrets/{id}/rollback", signedIn, s.rollbackSecret)
	asking("/ui/secrets/{id}/probe", s.probeSecret)
	post("/ui/secrets/{id}/expiry", signedIn, s.setExpiry)
	get("/ui/secrets/{id}/delete", signedIn, s.confirmDelete)
	post("/ui/secrets/{id}/delete", fresh, s.deleteSecret)

	get("/ui/leases", signedIn, s.listLeases)
	get("/ui/leases/{id}", signedIn, s.showLease)
	s.handle("GET /ui/leases/{id}/requests", watching, middleware.Limits{}, s.watchLease)
	post("/ui/leases/{id}/revoke", signedIn, s.revokeLease)

	get("/ui/keys", signedIn, s.listKeys)
	post("/ui/keys", fresh, s.createKey)
	get("/ui/keys/{id}/revoke", signedIn, s.confirmRevoke)
	post("/ui/keys/{id}/revoke", signedIn, s.revokeKey)

	s.mountGrants(get, post)

	get("/ui/device", public, s.devicePage)
	post("/ui/device", signedIn, s.decideDevice)
	get("/account/device", public, toDevice)
	get("/login/device", public, toDevice)

	get("/ui/audit", signedIn, s.listAudit)
	s.handle("GET /ui/audit/export", signedIn, middleware.Limits{Timeout: exportTimeout},
		s.exportAudit)

	get("/ui/stop", signedIn, s.stopPage)
	post("/ui/stop", signedIn, s.stop)
	s.mountAdmin(get, post)
}

// mountAdmin puts the pages of admins into the mux. Who is one the use cases say, and record who
// asks and is none. What takes access away works for someone in a hurry; what gives it, or cannot
// be undone, needs a new sign-in.
func (s *site) mountAdmin(get, post func(path string, by access, h handler)) {
	get("/ui/users", signedIn, s.listUsers)
	post("/ui/users", fresh, s.createUser)
	get("/ui/users/{id}", signedIn, s.showUser)
	post("/ui/users/{id}/link", fresh, s.linkUser)
	post("/ui/users/{id}/disable", signedIn, s.disableUser)
	post("/ui/users/{id}/enable", fresh, s.enableUser)
	get("/ui/users/{id}/delete", signedIn, s.confirmDeleteUser)
	post("/ui/users/{id}/delete", fresh, s.deleteUser)
	post("/ui/users/{id}/keep", signedIn, s.keepUser)
	get("/ui/all-keys", signedIn, s.listAllKeys)
	get("/ui/fleet", signedIn, s.showFleet)
	get("/ui/usage", signedIn, s.showUsage)
}

// mountPeople puts those into the mux by which people come in and stay.
func (s *site) mountPeople(get, post func(path string, by access, h handler)) {
	get("/ui/sign-in", public, s.signInPage)
	post("/ui/sign-in", public, s.signIn)
	get("/ui/sign-in/provider", public, s.beginSignIn)
	get(config.CallbackPath, public, s.finishSignIn)
	post("/ui/sign-in/passkey/begin", public, s.beginPasskeySignIn)
	post("/ui/sign-in/passkey", public, s.passkeySignIn)
	post("/ui/sign-out", signedIn, s.signOut)

	get("/ui/sessions", signedIn, s.listSessions)
	post("/ui/sessions/{id}/end", signedIn, s.endSession)
	get("/ui/passkeys", signedIn, s.listPasskeys)
	post("/ui/passkeys/begin", fresh, s.beginAdding)
	post("/ui/passkeys", fresh, s.addPasskey)
	get("/ui/passkeys/{id}/remove", signedIn, s.confirmRemoval)
	post("/ui/passkeys/{id}/remove", signedIn, s.removePasskey)
	post("/ui/confirm/begin", signedIn, s.beginConfirming)
	post("/ui/confirm", signedIn, s.confirm)
}

// mountGrants mounts what is about who may act for the person.
func (s *site) mountGrants(get, post func(string, access, handler)) {
	get("/ui/grants", signedIn, s.listGrants)
	post("/ui/grants", fresh, s.createGrant)
	post("/ui/grants/{id}/remove", signedIn, s.removeGrant)
}

func toSecrets(w http.ResponseWriter, r *request) error {
	return seeOther(w, r, "/ui/secrets")
}

func (s *site) noPage(http.ResponseWriter, *request) error { return errNoPage }

// handle puts one route into the mux: its limits, who is calling, and the form.
func (s *site) handle(pattern string, by access, limits middleware.Limits, h handler) {
	s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		middleware.From(r.Context()).Route = pattern
		limits.Begin(w, r)
		if err := s.run(w, r, by, h); err != nil {
			s.fail(w, r, err)
		}
	})
}

func (s *site) run(w http.ResponseWriter, r *http.Request, by access, h handler) error {
	req := &request{Request: r}
	if by != public {
		if err := s.authenticate(req, by); err != nil {
			return err
		}
	}
	if r.Method == http.MethodPost {
		if err := r.ParseForm(); err != nil {
			return badForm(err)
		}
	}
	if by == fresh && !s.Sessions.IsFresh(req.session) {
		return s.notFresh(w, req)
	}
	return h(w, req)
}

// authenticate finds the session of a request.
func (s *site) authenticate(r *request, by access) (err error) {
	find := s.Sessions.Of
	if by == watching {
		find = s.Sessions.Look
	}
	if r.session, err = find(r.Request); err != nil {
		return err
	}
	known := middleware.From(r.Context())
	r.session.Client = known.Client
	known.Caller = caller{r.session}
	_, err = s.rates.Take(r.session.Credential.ID)
	return err
}

// seeOther leads a browser to another of these pages, never to what a request says.
func seeOther(w http.ResponseWriter, r *request, path string) error {
	http.Redirect(w, r.Request, path, http.StatusSeeOther)
	return nil
}
