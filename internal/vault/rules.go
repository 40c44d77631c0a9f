package vault

import (
	"errors"
	"slices"

	"github.com/keysake/keysake/internal/policy"
)

// CheckRules returns why today's rules would refuse a user who was stored under earlier ones.
func CheckRules(u StoredUser) error {
	_, err := NewEmail(u.Email)
	return JoinInvalid(checkUsername(u.Username), err)
}

// CheckSecretRules is [CheckRules] for a secret.
func CheckSecretRules(s StoredSecret) error { return checkName(s.Name) }

// CheckAPIKeyRules is [CheckRules] for an API key.
func CheckAPIKeyRules(k APIKey) error {
	_, err := NewKeyName(k.Name)
	for _, scope := range k.Scopes {
		if err == nil && !slices.Contains(policy.AllScopes(), scope) {
			err = errors.New("it has a scope that does not exist")
		}
	}
	return err
}
