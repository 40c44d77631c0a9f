package web

import (
	"context"
	"net/http"

	"github.com/keysake/keysake/internal/vault"
)

// stopPage says what an emergency stop of one's own library does.
func (s *site) stopPage(w http.ResponseWriter, r *request) error {
	return s.show(w, r, http.StatusOK, "stop", view{Title: "Emergency stop", Here: "stop"})
}

// stop ends what a person chose, also if the browser goes away meanwhile. The page says what was
// ended and what was not; an error means that nothing was.
func (s *site) stop(w http.ResponseWriter, r *request) error {
	chosen := vault.Stop{
		Leases: r.PostForm.Has("leases"), Sessions: r.PostForm.Has("sessions"),
		Rules: r.PostForm.Has("rules"), Grants: r.PostForm.Has("grants"),
		Passkeys: r.PostForm.Has("passkeys"),
		Keys:     r.PostForm.Has("keys"),
	}
	if chosen == (vault.Stop{}) {
		return s.stopAgain(w, r, http.StatusUnprocessableEntity, "Choose what to stop.")
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), requestTimeout)
	defer cancel()
	done, err := s.Vault.Stop(ctx, r.session.Actor, chosen)
	kind := vault.KindOf(err)
	if kind == vault.Denied || kind == vault.Unavailable || kind == vault.Conflict {
		return s.stopAgain(w, r, statusOf(kind), problemOf(err).detail+". Nothing was stopped: "+
			"try again. An admin can disable you, and who runs the server can stop all of it.")
	}
	if err != nil {
		return err
	}
	return s.show(w, r, http.StatusOK, "stopped", view{
		Title: "Stopped", Here: "stop", Data: done,
	})
}

func (s *site) stopAgain(w http.ResponseWriter, r *request, status int, why string) error {
	return s.show(w, r, status, "stop", view{
		Title: "Emergency stop", Here: "stop", Broken: map[string]string{"": why},
	})
}
