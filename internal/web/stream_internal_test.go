package web

import (
	"errors"
	"testing"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/vault"
)

func sessionOf(user uuid.UUID) vault.Actor {
	return vault.Actor{User: user, Credential: audit.Credential{
		Kind: audit.CredentialSession, ID: uuid.New(),
	}}
}

func TestNobodyTakesAllPagesThatCanBeLive(t *testing.T) {
	var s streams
	var leaves []func()
	enter := func(who vault.Actor) bool {
		leave, err := s.enter(who)
		if err == nil {
			leaves = append(leaves, leave)
		} else if !errors.Is(err, errManyStreams) {
			t.Error(err)
		}
		return err == nil
	}
	ann := uuid.New()
	for range 20 { // as many sessions as a user has
		who := sessionOf(ann)
		for range maxSessionStreams + 1 {
			enter(who)
		}
	}
	if len(leaves) != maxUserStreams {
		t.Errorf("one user has %d live pages", len(leaves))
	}
	if !enter(sessionOf(uuid.New())) {
		t.Error("another user has none")
	}
	leaves[0]()
	if leaves = leaves[1:]; !enter(sessionOf(ann)) {
		t.Error("who closed a page may not open another")
	}
	for range maxStreams {
		enter(sessionOf(uuid.New()))
	}
	if enter(sessionOf(uuid.New())) {
		t.Error("there are more than there may be in all")
	}
	for _, leave := range leaves {
		leave()
	}
	if s.all != 0 || len(s.each) != 0 {
		t.Errorf("what has ended is still counted: %d, %v", s.all, s.each)
	}
}
