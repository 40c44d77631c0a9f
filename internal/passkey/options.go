package passkey

import (
	"github.com/go-webauthn/webauthn/protocol"
	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/vault"
)

// Options are what a browser is asked, as the script of the pages reads them.
type Options struct {
	PublicKey any `json:"publicKey"`
}

// ToAdd asks for a new passkey of a user, in none of the authenticators that have one. It must be
// found without being named, and be used with a PIN, a fingerprint or a face alone.
func (s *Site) ToAdd(
	challenge [32]byte, user uuid.UUID, username string, existing []vault.Passkey,
) Options {
	return Options{map[string]any{
		"rp": map[string]string{"id": s.id, "name": "Keysake"},
		"user": map[string]any{
			"id": protocol.URLEncodedBase64(user[:]), "name": username, "displayName": username,
		},
		"challenge": protocol.URLEncodedBase64(challenge[:]), "pubKeyCredParams": offered(),
		"timeout": vault.PasskeyTime.Milliseconds(), "attestation": "none",
		"excludeCredentials": described(existing),
		"authenticatorSelection": map[string]any{
			"residentKey": "required", "requireResidentKey": true, "userVerification": "required",
		},
	}}
}

// ToAnswer asks for an answer of any passkey that is good here, or of one of these.
func (s *Site) ToAnswer(challenge [32]byte, of []vault.Passkey) Options {
	return Options{map[string]any{
		"challenge": protocol.URLEncodedBase64(challenge[:]), "rpId": s.id,
		"timeout":          vault.PasskeyTime.Milliseconds(),
		"allowCredentials": described(of), "userVerification": "required",
	}}
}

// described names passkeys to a browser.
func described(all []vault.Passkey) []map[string]any {
	named := []map[string]any{}
	for _, k := range all {
		one := map[string]any{
			"type": protocol.PublicKeyCredentialType,
			"id":   protocol.URLEncodedBase64(k.Terms.Credential),
		}
		if len(k.Terms.Transports) > 0 {
			one["transports"] = k.Terms.Transports
		}
		named = append(named, one)
	}
	return named
}
