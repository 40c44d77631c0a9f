package web

import (
	"context"
	"net/http"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/vault"
)

// confirmDeleteUser says what a deletion takes away, and until when it can be called off.
func (s *site) confirmDeleteUser(w http.ResponseWriter, r *request) error {
	user, err := s.user(r)
	if err != nil {
		return err
	}
	return s.show(w, r, http.StatusOK, "user_delete", view{
		Title: "Delete " + user.Username + "?", Here: "users", Data: map[string]any{
			"User": user, "Own": user.ID == r.session.User, "Delay": s.Vault.DeleteDelay(),
		},
	})
}

func (s *site) deleteUser(w http.ResponseWriter, r *request) error {
	if s.Vault.DeleteDelay() == 0 {
		_, err := s.changeUser(r, s.Vault.DeleteUserLater)
		if err != nil {
			return err
		}
		return seeOther(w, r, "/ui/users?done=user-deleted")
	}
	return s.userChanged(w, r, s.Vault.DeleteUserLater, "user-to-be-deleted")
}

func (s *site) keepUser(w http.ResponseWriter, r *request) error {
	return s.userChanged(w, r, s.Vault.KeepUser, "user-kept")
}

func (s *site) disableUser(w http.ResponseWriter, r *request) error {
	return s.userChanged(w, r, s.Vault.DisableUser, "user-disabled")
}

func (s *site) enableUser(w http.ResponseWriter, r *request) error {
	return s.userChanged(w, r, s.Vault.EnableUser, "user-enabled")
}

// A userChange is a use case that changes a user.
type userChange func(ctx context.Context, who vault.Actor, id uuid.UUID) error

func (s *site) changeUser(r *request, change userChange) (uuid.UUID, error) {
	id, err := r.id()
	if err == nil {
		err = change(r.Context(), r.session.Actor, id)
	}
	return id, err
}

// userChanged changes a user, and leads to the page of that user, which says what was done.
func (s *site) userChanged(
	w http.ResponseWriter, r *request, change userChange, done string,
) error {
	id, err := s.changeUser(r, change)
	if err != nil {
		return err
	}
	return seeOther(w, r, userPath(id)+"?done="+done)
}
