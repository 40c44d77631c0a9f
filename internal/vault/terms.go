package vault

import (
	"errors"

	"github.com/go-json-experiment/json"

	"github.com/keysake/keysake/internal/audit"
)

var errNotTerms = errors.New("the row does not have the terms of its kind")

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
