package web

import "net/http"

func (s *site) listSessions(w http.ResponseWriter, r *request) error {
	open, err := s.Vault.ListSessions(r.Context(), r.session.Actor)
	if err != nil {
		return err
	}
	return s.show(w, r, http.StatusOK, "sessions", view{
		Title: "Sessions", Here: "sessions",
		Data: map[string]any{"Sessions": open, "This": r.session.Credential.ID},
	})
}

func (s *site) endSession(w http.ResponseWriter, r *request) error {
	id, err := r.id()
	if err != nil {
		return err
	}
	if id == r.session.Credential.ID {
		return s.signOut(w, r)
	}
	if err := s.Vault.EndSession(r.Context(), r.session.Actor, id); err != nil {
		return err
	}
	return seeOther(w, r, "/ui/sessions?done=session-ended")
}
