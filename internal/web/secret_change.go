package web

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/vault"
)

// changed leads back to the secret, or shows it with what is wrong.
func (s *site) changed(
	w http.ResponseWriter, r *request, id uuid.UUID, done string, err error,
) error {
	if err == nil {
		return seeOther(w, r, "/ui/secrets/"+id.String()+"?done="+done)
	}
	if broken, _ := fieldsOf(err); broken == nil {
		return err
	}
	v, failed := s.secretView(r)
	if failed != nil {
		return failed
	}
	return s.again(w, r, "secret", v, err)
}

// tag returns the state of the secret that the form was made from: what another made of it in the
// meantime is not overwritten unseen.
func tag(r *request) vault.Tag { return vault.Tag(r.PostForm.Get("tag")) }

func (s *site) updateSecret(w http.ResponseWriter, r *request) error {
	id, err := r.id()
	if err != nil {
		return err
	}
	value, err := formValue(r)
	if err == nil {
		_, err = s.Vault.UpdateSecret(r.Context(), r.session.Actor, id, value, tag(r))
	}
	return s.changed(w, r, id, "updated", err)
}

func (s *site) renameSecret(w http.ResponseWriter, r *request) error {
	id, err := r.id()
	if err != nil {
		return err
	}
	name, err := vault.NewName(strings.TrimSpace(r.PostForm.Get("name")))
	if err == nil {
		_, err = s.Vault.RenameSecret(r.Context(), r.session.Actor, id, name, tag(r))
	}
	return s.changed(w, r, id, "renamed", err)
}

func (s *site) rollbackSecret(w http.ResponseWriter, r *request) error {
	id, err := r.id()
	if err != nil {
		return err
	}
	n, err := strconv.ParseInt(r.PostForm.Get("version"), 10, 64)
	if err != nil {
		return badForm(err)
	}
	number, err := vault.NewVersionNumber(n)
	if err == nil {
		_, err = s.Vault.RollbackSecret(r.Context(), r.session.Actor, id, number, tag(r))
	}
	return s.changed(w, r, id, "rolled-back", err)
}

func (s *site) confirmDelete(w http.ResponseWriter, r *request) error {
	v, err := s.secretView(r)
	if err != nil {
		return err
	}
	v.Title = "Delete " + v.Title + "?"
	return s.show(w, r, http.StatusOK, "secret_delete", v)
}

func (s *site) deleteSecret(w http.ResponseWriter, r *request) error {
	id, err := r.id()
	if err != nil {
		return err
	}
	if err := s.Vault.DeleteSecret(r.Context(), r.session.Actor, id, tag(r)); err != nil {
		return err
	}
	return seeOther(w, r, "/ui/secrets?done=deleted")
}
