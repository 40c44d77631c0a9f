package web

import (
	"net/http"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/vault"
)

// stopPage says what an emergency stop of one's own library does.
func (s *site) stopPage(w http.ResponseWriter, r *request) error {
	return s.show(w, r, http.StatusOK, "stop", view{Title: "Emergency stop", Here: "stop"})
}

// A stopped says how much an emergency stop ended.
type stopped struct{ Leases, Keys, Sessions int }

// stop ends what a person chose. Each thing is an entry of its own in the audit log, and what could
// not be ended stops the rest: the page then says so, and doing it again goes on.
func (s *site) stop(w http.ResponseWriter, r *request) error {
	chosen := func(what string) bool { return r.PostForm.Has(what) }
	if !chosen("leases") && !chosen("keys") && !chosen("sessions") {
		return s.show(w, r, http.StatusUnprocessableEntity, "stop", view{
			Title: "Emergency stop", Here: "stop",
			Broken: map[string]string{"": "Choose what to stop."},
		})
	}
	var done stopped
	for _, one := range []struct {
		what string
		end  func(*request, *stopped) error
	}{{"sessions", s.endSessions}, {"leases", s.endLeases}, {"keys", s.endKeys}} {
		if chosen(one.what) {
			if err := one.end(r, &done); err != nil {
				return err
			}
		}
	}
	return s.show(w, r, http.StatusOK, "stopped", view{
		Title: "Stopped", Here: "stop", Data: done,
	})
}

func (s *site) endLeases(r *request, done *stopped) error {
	for _, state := range []vault.LeaseState{
		vault.LeaseActive, vault.LeaseRedeemed, vault.LeaseDisputed,
	} {
		f := vault.LeaseFilter{State: state, Limit: vault.MaxLeasePage}
		for more := true; more; more = f.Before != uuid.Nil {
			leases, next, err := s.Vault.ListLeases(r.Context(), r.session.Actor, f)
			if err != nil {
				return err
			}
			for _, l := range leases {
				_, _, err := s.Vault.RevokeLease(r.Context(), r.session.Actor, l.ID)
				if err != nil {
					return err
				}
				done.Leases++
			}
			f.Before = next
		}
	}
	return nil
}

// endKeys revokes the keys above this very session last, and of them the highest: with it the
// session ends.
func (s *site) endKeys(r *request, done *stopped) error {
	keys, err := s.Vault.ListAPIKeys(r.Context(), r.session.Actor)
	if err != nil {
		return err
	}
	var above, others []vault.APIKey
	maker := r.session.Maker
	for _, k := range keys { // newest first: a key before the one that made it
		switch {
		case !k.Active:
		case k.ID == maker:
			above, maker = append(above, k), k.Parent
		default:
			others = append(others, k)
		}
	}
	if len(above) > 0 {
		others = append(others, above[len(above)-1])
	}
	for _, k := range others {
		err := s.Vault.RevokeAPIKey(r.Context(), r.session.Actor, k.ID)
		if err != nil && vault.KindOf(err) != vault.Denied { // an admin's key, by one who is none
			return err
		}
		if err == nil {
			done.Keys++
		}
	}
	return nil
}

func (s *site) endSessions(r *request, done *stopped) error {
	open, err := s.Vault.ListSessions(r.Context(), r.session.Actor)
	if err != nil {
		return err
	}
	for _, k := range open {
		if k.ID == r.session.Credential.ID {
			continue
		}
		if err := s.Vault.EndSession(r.Context(), r.session.Actor, k.ID); err != nil {
			return err
		}
		done.Sessions++
	}
	return nil
}
