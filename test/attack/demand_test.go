package attack_test

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/keysake/keysake/client"
	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/doctor"
	"github.com/keysake/keysake/internal/maintenance"
	"github.com/keysake/keysake/internal/vault"
	"github.com/keysake/keysake/plaintext"
	"github.com/keysake/keysake/wire"
)

// refused demands that a use of what was attacked ends as a use of what never existed, or as
// tampering that is in the log.
func (h *House) refused(what string, err error) {
	h.t.Helper()
	answer, isAnswer := errors.AsType[*client.Error](err)
	switch {
	case err == nil:
		h.t.Errorf("%s was not refused", what)
	case errors.Is(err, vault.ErrTampered):
	case vault.KindOf(err) == vault.NotFound, vault.KindOf(err) == vault.Unauthenticated:
	case isAnswer && (answer.Status == 401 || answer.Status == 404):
	case isAnswer && answer.Status == 500:
		h.logged(what, answer.RequestID)
	default:
		h.t.Errorf("%s: %v", what, err)
	}
}

// tampering demands that a use of what was attacked is tampering, and in the log as that.
func (h *House) tampering(what string, err error) {
	h.t.Helper()
	answer, isAnswer := errors.AsType[*client.Error](err)
	switch {
	case err == nil:
		h.t.Errorf("%s was not refused", what)
	case errors.Is(err, vault.ErrTampered):
	case isAnswer && answer.Status == 500:
		h.logged(what, answer.RequestID)
	default:
		h.t.Errorf("%s is not tampering: %v", what, err)
	}
}

// logged demands a line about this request that names tampering and its cause. A value that the
// product never writes is damage.
func (h *House) logged(what, request string) {
	h.t.Helper()
	for line := range strings.Lines(h.Logs.String()) {
		says := strings.Contains(line, "tampering=true") || strings.Contains(line, "is damaged")
		if strings.Contains(line, request) && says && strings.Contains(line, "cause=") {
			return
		}
	}
	h.t.Errorf("%s: no line of the log says that it is tampering", what)
}

// refusedKey demands that an API key opens nothing at all.
func (h *House) refusedKey(key plaintext.Value) {
	h.t.Helper()
	h.noticed()
	c := h.ClientWith(h.t, key)
	_, err := c.WhoAmI(h.t.Context())
	h.refused("who am I", err)
	_, err = c.ListSecrets(h.t.Context())
	h.refused("a list of secrets", err)
	_, err = c.ListUsers(h.t.Context())
	h.refused("a list of users", err)
}

// broken demands that the list of users names those who are broken, and tells nothing else of them.
func (h *House) broken(users ...Person) {
	h.t.Helper()
	list, err := h.as(h.ada).ListUsers(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	for _, p := range users {
		named := func(u wire.User) bool { return u.ID == p.id || u.Username == p.name }
		if !slices.Contains(list.Broken, p.id) || slices.ContainsFunc(list.Users, named) {
			h.t.Errorf("the list of users does not say that %s is broken: %+v", p.name, list)
		}
	}
}

// refusedSecret demands that a secret is neither shown nor delivered nor made anew from what is
// there.
func (h *House) refusedSecret(p Person, id string) {
	h.t.Helper()
	_, err := h.as(p).GetSecret(h.t.Context(), id)
	h.refused("the secret", err)
	v, err := h.open(p, id)
	h.refused("the value", err)
	if v.Len() > 0 {
		h.t.Error("a value was delivered")
	}
	_, err = h.as(p).RollbackSecret(h.t.Context(), id, wire.RollbackSecret{Version: 1})
	if answer, ok := errors.AsType[*client.Error](err); !ok || answer.Status != 422 {
		h.refused("a rollback", err) // 422: there is no such version
	}
}

// tamperedList demands that the list of a person's secrets is tampering.
func (h *House) tamperedList(p Person) {
	h.t.Helper()
	_, err := h.as(p).ListSecrets(h.t.Context())
	h.tampering("the list of "+p.name, err)
}

// works demands that nothing keeps a person from working.
func (h *House) works(people ...Person) {
	h.t.Helper()
	for _, p := range people {
		if _, err := h.as(p).ListSecrets(h.t.Context()); err != nil {
			h.t.Errorf("%s cannot work: %v", p.name, err)
		}
	}
}

// is demands that a secret has the value that its name and a word make.
func (h *House) is(p Person, s wire.Secret, word string) {
	h.t.Helper()
	v, err := h.open(p, s.ID)
	if err != nil || !bytes.Equal(v.Reveal(), value(p, s.Name, word).Reveal()) {
		h.t.Errorf("%s is not its %s value (%v)", s.Name, word, err)
	}
}

// isNot demands that a secret is not delivered with the value that its name and a word make.
func (h *House) isNot(p Person, s wire.Secret, word string) {
	h.t.Helper()
	v, err := h.open(p, s.ID)
	if err == nil && bytes.Equal(v.Reveal(), value(p, s.Name, word).Reveal()) {
		h.t.Errorf("%s has its %s value", s.Name, word)
	}
}

// unchanged demands that a use changed no row of the tables.
func (h *House) unchanged(before dump, tables ...string) {
	h.t.Helper()
	for _, table := range tables {
		after := h.rows(table, "1")
		for _, rows := range [][]row{before[table], after} {
			for _, r := range rows {
				delete(r, "last_used_at")
			}
		}
		if !reflect.DeepEqual(before[table], after) {
			h.t.Errorf("%s was changed", table)
		}
	}
}

// doctor examines the house.
func (h *House) doctor(backup string) []doctor.Check {
	h.t.Helper()
	return examine(h, h.cfg, backup)
}

func examine(h *House, cfg config.Config, backup string) []doctor.Check {
	h.t.Helper()
	o := maintenance.DoctorOptions{Sample: doctor.All, Backup: backup}
	r, err := maintenance.Doctor(h.t.Context(), cfg, nil, o)
	apptest.Must(h.t, err)
	return r.Checks
}

// named demands that doctor finds the attack, and that what it finds has each of the words.
func (h *House) named(words ...string) {
	h.t.Helper()
	h.namedBy(h.doctor(""), words...)
}

func (h *House) namedBy(checks []doctor.Check, words ...string) {
	h.t.Helper()
	found := failed(checks)
	if len(found) == 0 {
		h.t.Error("doctor finds nothing")
	}
	for _, word := range words {
		if !strings.Contains(strings.Join(found, "\n"), word) {
			h.t.Errorf("doctor does not name %s: %q", word, found)
		}
	}
}

// failed returns the checks that failed, as texts.
func failed(checks []doctor.Check) (found []string) {
	for _, c := range checks {
		if c.Status == doctor.Failed {
			found = append(found, fmt.Sprint(c.Name, ": ", c.Text, " ", c.Details))
		}
	}
	slices.Sort(found)
	return found
}
