package api

import (
	"strings"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/audit"
)

// The keys of limiters as servers tell each other.

func credentialText(c audit.Credential) string { return string(c.Kind) + ":" + c.ID.String() }

func credentialFrom(text string) (audit.Credential, bool) {
	kind, id, _ := strings.Cut(text, ":")
	parsed, err := uuid.Parse(id)
	return audit.Credential{Kind: audit.CredentialKind(kind), ID: parsed}, err == nil
}

func userFrom(text string) (uuid.UUID, bool) {
	id, err := uuid.Parse(text)
	return id, err == nil
}
