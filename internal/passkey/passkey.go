// Package passkey speaks WebAuthn: what a browser is asked for, and what its answers prove. It
// knows no request and keeps nothing.
package passkey

import (
	"bytes"
	"errors"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/protocol/webauthncose"
	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/vault"
)

// A Site is where passkeys are good: browsers bind them to its host.
type Site struct {
	// Origin is the address of the pages, without a path.
	Origin string
	// Host is the name in it, with the port if it has one.
	Host string

	id string // the name alone
}

// NewSite returns the site of an address. ok is false where no browser makes a passkey: without an
// address, or at one that is a number.
func NewSite(address string) (s *Site, ok bool) {
	u, err := url.Parse(strings.ToLower(address))
	if err != nil || u.Hostname() == "" {
		return nil, false
	}
	if _, err := netip.ParseAddr(u.Hostname()); err == nil {
		return nil, false
	}
	host := u.Host
	if u.Scheme == "https" && u.Port() == "443" || u.Scheme == "http" && u.Port() == "80" {
		host = u.Hostname() // as an origin has it
	}
	return &Site{Origin: u.Scheme + "://" + host, Host: host, id: u.Hostname()}, true
}

// offered returns what an authenticator may sign with, the best known first.
func offered() (all []protocol.CredentialParameter) {
	for _, a := range []webauthncose.COSEAlgorithmIdentifier{
		webauthncose.AlgES256, webauthncose.AlgEdDSA, webauthncose.AlgRS256,
	} {
		all = append(all, protocol.CredentialParameter{
			Type: protocol.PublicKeyCredentialType, Algorithm: a,
		})
	}
	return all
}

// The longest parts of an answer that are read and stored. An authenticator's id has at most 1,023
// bytes, and a key of RSA with 4,096 bits fits.
const (
	maxAnswer    = 16 << 10
	maxPublicKey = 1 << 10
)

// Added returns what a new passkey is, by the answer of a browser that was asked for one with that
// challenge. Invalid: the answer proves none.
//
// Nobody is asked who made the authenticator, and what comes of that unasked is not looked at.
func (s *Site) Added(challenge [32]byte, answer string) (vault.PasskeyTerms, error) {
	if len(answer) > maxAnswer {
		return vault.PasskeyTerms{}, notAdded(errors.New("the answer is too long"))
	}
	parsed, err := protocol.ParseCredentialCreationResponseBytes([]byte(answer))
	if err != nil {
		return vault.PasskeyTerms{}, notAdded(err)
	}
	object := &parsed.Response.AttestationObject
	object.Format = string(protocol.AttestationFormatNone)
	object.AttStatement, object.SubStatements = nil, nil
	if parsed.Response.CollectedClientData.Origin != s.Origin {
		return vault.PasskeyTerms{}, notAdded(errOrigin)
	}
	_, err = parsed.Verify(
		protocol.URLEncodedBase64(challenge[:]).String(), s.id, []string{s.Origin}, nil, nil,
		protocol.TopOriginExplicitVerificationMode, false, true, true, nil, offered(),
		protocol.AttestationPolicy{}, protocol.SignaturePolicy{})
	if err != nil {
		return vault.PasskeyTerms{}, notAdded(err)
	}
	return terms(parsed)
}

func terms(parsed *protocol.ParsedCredentialCreationData) (vault.PasskeyTerms, error) {
	data := parsed.Response.AttestationObject.AuthData
	key := data.AttData.CredentialPublicKey
	if _, err := webauthncose.ParsePublicKey(key); err != nil || len(key) > maxPublicKey {
		return vault.PasskeyTerms{}, notAdded(errors.Join(errNoKey, err))
	}
	model, err := uuid.FromBytes(data.AttData.AAGUID)
	if err != nil {
		return vault.PasskeyTerms{}, notAdded(err)
	}
	t := vault.PasskeyTerms{
		Credential: data.AttData.CredentialID, PublicKey: key, Model: model,
		Synced: data.Flags.HasBackupEligible(), Counter: data.Counter,
	}
	known := []protocol.AuthenticatorTransport{
		protocol.USB, protocol.NFC, protocol.BLE, protocol.SmartCard, protocol.Hybrid,
		protocol.Internal,
	}
	for _, one := range parsed.Response.Transports { // what else a browser says is not kept
		if slices.Contains(known, one) && !slices.Contains(t.Transports, string(one)) {
			t.Transports = append(t.Transports, string(one))
		}
	}
	return t, nil
}

// Answered returns the answer of a browser that was asked with that challenge for a passkey.
// Unauthenticated: it is none.
func (s *Site) Answered(challenge [32]byte, answer string) (vault.PasskeyAnswer, error) {
	if len(answer) > maxAnswer {
		return vault.PasskeyAnswer{}, noAnswer(errors.New("the answer is too long"))
	}
	parsed, err := protocol.ParseCredentialRequestResponseBytes([]byte(answer))
	if err != nil {
		return vault.PasskeyAnswer{}, noAnswer(err)
	}
	return vault.PasskeyAnswer{
		Credential: bytes.Clone(parsed.RawID), User: parsed.Response.UserHandle,
		Counter: parsed.Response.AuthenticatorData.Counter, Attempt: challenge,
		Verify: func(publicKey []byte) error {
			if parsed.Response.CollectedClientData.Origin != s.Origin {
				return errOrigin
			}
			return parsed.Verify(
				protocol.URLEncodedBase64(challenge[:]).String(), s.id, "", []string{s.Origin},
				nil, nil, protocol.TopOriginExplicitVerificationMode, false, true, true, publicKey,
				protocol.SignaturePolicy{})
		},
	}, nil
}

var (
	errOrigin = errors.New("the answer is for another origin")
	errNoKey  = errors.New("the public key is none that is taken")
)

func noAnswer(cause error) error {
	return &vault.Error{
		Kind: vault.Unauthenticated, Detail: "That is no answer of a passkey", Cause: cause,
	}
}

func notAdded(cause error) error {
	return &vault.Error{
		Kind: vault.Invalid, Detail: "That is no new passkey", Cause: cause,
		Fields: []vault.Field{{
			Rule: vault.GoodValue,
			Msg: "That is no passkey that was made here in the last 5 minutes, with a PIN, a " +
				"fingerprint or a face. Nothing was stored: try again.",
		}},
	}
}
