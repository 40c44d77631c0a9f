package vault

import (
	"crypto/rand"
	"errors"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/policy"
)

var errNotTerms = errors.New("the row does not have the terms of its kind")

// newWithTerms returns a row that has terms and no token: its hash is random bits, of nothing.
func newWithTerms(
	kind audit.CredentialKind, user uuid.UUID, name string, scopes []policy.Scope, terms any,
) (APIKey, error) {
	id, err := newID()
	k := APIKey{
		ID: id, Kind: kind, User: user, Name: name, Scopes: scopes, TermsJSON: encodeTerms(terms),
	}
	_, _ = rand.Read(k.Hash[:]) // it ends the program rather than fail
	return k, err
}

// termsOf returns the terms of a row of a kind.
func termsOf[T any](k APIKey, kind audit.CredentialKind) (terms T, err error) {
	if k.Kind != kind || json.Unmarshal([]byte(k.TermsJSON), &terms) != nil {
		err = tampered("API key "+k.ID.String(), errNotTerms)
	}
	return terms, err
}

// encodeTerms never fails: terms are texts and numbers.
func encodeTerms(terms any) string {
	b, err := json.Marshal(terms)
	if err != nil {
		panic(err)
	}
	return string(b)
}
