package storetest

import (
	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/vault"
)

func setsTerms(s subject) {
	ann, bob := s.addUser("ann"), s.addUser("bob")
	k, kept := s.addAPIKey(ann.Owner, nil), s.addAPIKey(ann.Owner, nil)
	set := func(user uuid.UUID) func(vault.Tx) error {
		return func(tx vault.Tx) error { return tx.SetAPIKeyTerms(s.ctx, user, k.ID, `{"a":2}`) }
	}
	s.refuses(vault.NotFound, "another user's key", set(bob.Owner))
	s.update(set(ann.Owner))
	k.TermsJSON = `{"a":2}`
	s.wantSame("keys", s.apiKeys(ann.Owner), []vault.APIKey{kept, k})
}
