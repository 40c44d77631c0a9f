package api

import (
	"strings"

	"github.com/keysake/keysake/internal/vault"
)

// hint returns what this API adds to the message of a field: where the values that it may have are
// listed. The domain knows no paths.
func hint(f vault.Field) string {
	if f.Rule != vault.OneOf {
		return ""
	}
	switch f.Name[strings.LastIndexByte(f.Name, '.')+1:] {
	case "provider":
		return ": GET /api/v1/user/secrets/presets lists them"
	case "version":
		return ": GET /api/v1/user/secrets/{secret_id}/versions lists them"
	}
	return ""
}
