package web

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/keysake/keysake/internal/vault"
)

// warningText says why the owner of a secret should look at it.
func warningText(h vault.Health, w vault.Warning) string {
	switch w {
	case vault.WarnInvalid:
		return "does not work"
	case vault.WarnSuspected:
		return "refused by its provider " + day(h.RefusedAt) + ": probe it"
	case vault.WarnExpired:
		return "expired " + day(expiry(h))
	case vault.WarnExpiresSoon:
		return "expires " + day(expiry(h))
	case vault.WarnUnused:
		return "unused for " + span(time.Since(h.IdleSince))
	}
	return string(w)
}

// expiry returns when a key expires, as its owner or its provider says.
func expiry(h vault.Health) time.Time {
	at, _ := h.Expires()
	return at
}

// probeSecret asks the provider whether the key works.
func (s *site) probeSecret(w http.ResponseWriter, r *request) error {
	id, err := r.id()
	if err != nil {
		return err
	}
	known, err := s.Vault.ProbeSecret(r.Context(), r.session.Actor, id)
	done := "asked"
	if known.At.IsZero() {
		done = "no-check"
	}
	if err == nil && r.PostForm.Get("from") == "list" {
		return seeOther(w, r, "/ui/secrets?done="+done)
	}
	return s.changed(w, r, id, done, err)
}

// setExpiry stores when a secret expires, or that it does not.
func (s *site) setExpiry(w http.ResponseWriter, r *request) error {
	id, err := r.id()
	if err != nil {
		return err
	}
	if r.PostForm.Has("never") {
		err := s.Vault.ClearDeadline(r.Context(), r.session.Actor, id)
		return s.changed(w, r, id, "expiry-cleared", err)
	}
	deadline, err := formDeadline(r)
	if err == nil {
		err = s.Vault.SetDeadline(r.Context(), r.session.Actor, id, deadline)
	}
	return s.changed(w, r, id, "expiry-set", err)
}

// reminderDays is how many days before a secret expires its owner is reminded, at most.
const reminderDays = int(vault.MaxReminder / (24 * time.Hour))

// formDeadline returns the deadline that was typed: a day, from its first moment on, and how many
// days before that the reminder is. Invalid.
func formDeadline(r *request) (vault.Deadline, error) {
	wrong := func(field, text string) error {
		return &vault.Error{Kind: vault.Invalid, Detail: "Validation error", Fields: []vault.Field{
			{Name: field, Rule: vault.GoodValue, Msg: text},
		}}
	}
	var badDay, badReminder error
	at, err := time.Parse(time.DateOnly, r.PostForm.Get("expires_at"))
	if err != nil {
		badDay = wrong("expires_at", "Give a day, such as 2027-01-31")
	}
	days, err := strconv.Atoi(r.PostForm.Get("remind_before"))
	if err != nil || days < 0 || days > reminderDays {
		badReminder = wrong("remind_before",
			fmt.Sprintf("Give a number of days, from 0 to %d", reminderDays))
	}
	if err := vault.JoinInvalid(badDay, badReminder); err != nil {
		return vault.Deadline{}, err
	}
	return vault.NewDeadline(at, new(int64(days)*24*60*60))
}

// A deadlineForm is what the form of a deadline has in it.
type deadlineForm struct {
	Day  string // empty for none
	Days int    // of the reminder
	Most int
}

func newDeadlineForm(d vault.Deadline) deadlineForm {
	if d.At.IsZero() {
		d.RemindBefore = vault.DefaultReminder
	}
	form := deadlineForm{Days: int(d.RemindBefore / (24 * time.Hour)), Most: reminderDays}
	if !d.At.IsZero() {
		form.Day = d.At.UTC().Format(time.DateOnly)
	}
	return form
}
