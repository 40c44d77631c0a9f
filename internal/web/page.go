package web

import (
	"bytes"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/keysake/keysake/internal/broker"
	"github.com/keysake/keysake/internal/vault"
)

// pages are the templates, each with the frame around it, by their names.
type pages map[string]*template.Template

func loadPages(a assets) pages {
	all := pages{}
	frame := template.Must(template.New("frame.html").Funcs(template.FuncMap{
		"asset": a.path, "ago": ago, "until": until, "day": day, "exact": exact,
		"machine": machine, "count": count[int], "action": actionText,
		"state": stateText, "health": healthText, "plain": fmt.Sprint,
		"advice": broker.Advice, "warning": warningText, "expiry": expiry,
		"millis": millis, "bytes": bytesText, "many": count[int64], "span": span,
	}).ParseFS(templates, "templates/frame.html", "templates/part_*.html"))
	files, _ := fs.Glob(templates, "templates/*.html")
	for _, file := range files {
		name := strings.TrimSuffix(path.Base(file), ".html")
		if name != "frame" && !strings.HasPrefix(name, "part_") {
			page := template.Must(frame.Clone())
			all[name] = template.Must(page.ParseFS(templates, file))
		}
	}
	return all
}

// A view is what a page shows.
type view struct {
	Title    string
	Here     string // the entry of the menu that the page belongs to
	SignedIn bool
	Fresh    bool   // the session may do what is dangerous
	Admin    bool   // the session has the scope admin
	Provider string // where people sign in; empty if there is none
	Passkeys passkeyPlace
	Confirm  func() bool       // whether a passkey can make a session fresh that is not
	Done     string            // what was just done
	Broken   map[string]string // by the name of a field, what is wrong with it
	Data     any
}

// Problem returns how many fields are wrong, for a summary above a form.
func (v view) Problem() int { return len(v.Broken) }

// show writes a page.
func (s *site) show(
	w http.ResponseWriter, r *request, status int, page string, v view,
) error {
	v.SignedIn = r.session.User != [16]byte{}
	v.Fresh = v.SignedIn && s.Sessions.IsFresh(r.session)
	v.Admin = slices.Contains(r.session.Scopes, "admin")
	v.Provider, v.Passkeys = s.providerName(), s.passkeyPlace(r.Request)
	v.Confirm = sync.OnceValue(func() bool {
		return v.SignedIn && !v.Fresh && v.Passkeys.Here && s.canConfirm(r)
	})
	if v.Done == "" {
		v.Done = doneText(r.URL.Query().Get("done"))
	}
	var body bytes.Buffer // a page is whole, or it is an error
	if err := s.pages[page].Execute(&body, v); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(body.Len()))
	w.WriteHeader(status)
	_, _ = body.WriteTo(w) // it fails only with the connection
	return nil
}

// again shows a form once more, with what is wrong with its fields. The error is returned if it is
// of another kind.
func (s *site) again(
	w http.ResponseWriter, r *request, page string, v view, why error,
) error {
	broken, status := fieldsOf(why)
	if broken == nil {
		return why
	}
	v.Broken = broken
	return s.show(w, r, status, page, v)
}

// fieldsOf returns what is wrong with the fields of a form: nil for an error that is not about it.
// What is not about one field has an empty name.
func fieldsOf(err error) (map[string]string, int) {
	var e *vault.Error
	if !asError(err, &e) {
		return nil, 0
	}
	switch e.Kind {
	case vault.Invalid:
		broken := map[string]string{}
		for _, f := range e.Fields {
			broken[f.Name] = f.Msg
		}
		return broken, http.StatusUnprocessableEntity
	case vault.Conflict, vault.Denied, vault.Changed, vault.BadGateway, vault.GatewayTimeout:
		return map[string]string{"": e.Detail}, statusOf(e.Kind)
	case vault.Internal, vault.Unauthenticated, vault.NotFound, vault.Unavailable:
	}
	return nil, 0
}
