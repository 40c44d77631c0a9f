package vault

import (
	"context"
	"crypto/sha256"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/policy"
	"github.com/keysake/keysake/plaintext"
)

// PasskeyTime is how long a browser may take to have a passkey answer.
const PasskeyTime = 5 * time.Minute

// maxPasskeys is how many passkeys a user has.
const maxPasskeys = 10

// A Passkey is what somebody signs in with at a browser, and shows that they are still there. It is
// stored as an API key is, under a kind of its own.
type Passkey struct {
	APIKey // without a token

	Terms PasskeyTerms
}

// PasskeyTerms are what is known of a passkey. Its private key is with its user.
type PasskeyTerms struct {
	Credential []byte    `json:"credential"` // its id
	PublicKey  []byte    `json:"public_key"` // as COSE has it
	Model      uuid.UUID `json:"aaguid"`     // of what keeps it; often nil
	Transports []string  `json:"transports"` // by which a browser reaches what keeps it
	Synced     bool      `json:"synced"`     // it may be on several devices of its user
	Counter    uint32    `json:"counter"`    // as it was last said; 0 for one that does not count
}

// A PasskeyAnswer is what a browser sends of a passkey that was asked for. Nothing of it is true
// before Verify has returned nil.
type PasskeyAnswer struct {
	Credential []byte // the id of the passkey
	User       []byte // whose it says it is; empty for one that was asked for by its id
	Counter    uint32
	Attempt    [sha256.Size]byte // the challenge: no other answer has it
	// Verify returns nil if the passkey with this public key has signed the answer.
	Verify func(publicKey []byte) error
}

// passkeyMark tells a passkey from all others, and from whatever else is presented.
func passkeyMark(credential []byte) []byte {
	sum := sha256.Sum256(append([]byte("passkey\n"), credential...))
	return sum[:]
}

// PasskeyChallenge returns what a passkey is to sign, for one purpose and one attempt. Nobody but
// this instance can tell it before, so that no answer was made in advance.
func (s *Service) PasskeyChallenge(
	purpose string, attempt plaintext.Value,
) ([sha256.Size]byte, error) {
	key, err := s.instance.first()
	if err != nil {
		return [sha256.Size]byte{}, err
	}
	return key.ChallengeMAC(append([]byte("passkey\n"+purpose+"\n"), attempt.Reveal()...)), nil
}

// passkey returns a row as a passkey.
func (k APIKey) passkey() (Passkey, error) {
	terms, err := termsOf[PasskeyTerms](k, audit.CredentialPasskey)
	return Passkey{k, terms}, err
}

// AddPasskey lets the caller sign in with a passkey. In a session that it opens they may do what
// the caller's session may do, but are no admin. It ends with what made the caller's session, but
// not with another passkey. It needs the scope keys:write. Conflict: somebody has it already.
// Denied: the caller came by a provider, or is linked to one, which decides each time whether they
// come in, or there are too many passkeys.
func (s *Service) AddPasskey(
	ctx context.Context, who Actor, name KeyName, terms PasskeyTerms,
) (Passkey, error) {
	scopes := policy.Common(who.Scopes, policy.UserScopes())
	key, err := newWithTerms(audit.CredentialPasskey, who.Owner(), name.text, scopes, terms)
	if err != nil {
		return Passkey{}, err
	}
	key.Presented = passkeyMark(terms.Credential)
	err = s.update(ctx, inOwnLibrary(who, policy.PasskeyAdd), func(c *change) error {
		above, err := c.abovePasskeys(ctx, who)
		if err != nil {
			return err
		}
		if len(above) > 0 {
			key.Parent, key.ExpiresAt = above[0].ID, above[0].ExpiresAt
		}
		if err := c.makeRoom(ctx, audit.CredentialPasskey); err != nil {
			return err
		}
		key.CreatedAt, key.Active = c.at, true
		c.record(key.target())
		return withDetail(c.addAPIKey(ctx, key), "This passkey is somebody's already")
	})
	if err != nil {
		return Passkey{}, err
	}
	return Passkey{key, terms}, nil
}

// abovePasskeys returns the line below which the caller's passkeys are: that of the caller without
// sessions and passkeys. Denied: it began at a provider, the caller is linked to one, or it is as
// long as one may be.
func (c *change) abovePasskeys(ctx context.Context, who Actor) ([]APIKey, error) {
	own, err := c.callersKey(ctx, who)
	if err != nil {
		return nil, err
	}
	all, err := c.apiKeys(ctx, c.at)
	if err != nil {
		return nil, err
	}
	above := slices.DeleteFunc(slices.Clone(own.keys), func(k APIKey) bool {
		return k.Kind == audit.CredentialSession || k.Kind == audit.CredentialPasskey
	})
	switch {
	case slices.ContainsFunc(slices.Concat(all, above), func(k APIKey) bool {
		return k.Kind == audit.CredentialIdentity // a link that does not work may work again
	}):
		return nil, denied("You sign in at a provider, or what let you in began at one: it " +
			"decides each time who comes in, and a passkey would lead past it")
	case len(above)+2 > maxLine: // with a passkey, and a session of it
		return nil, denied("The API key that let you in is too far from the operator's: come in " +
			"by a key above it")
	}
	return above, nil
}

// ListPasskeys returns the caller's passkeys that work, newest first.
func (s *Service) ListPasskeys(ctx context.Context, who Actor) (found []Passkey, err error) {
	now := s.now()
	err = s.view(ctx, who, policy.PasskeyList, func(p *page) error {
		keys, err := p.apiKeys(ctx, now)
		if err != nil {
			return err
		}
		found = nil
		for _, k := range keys {
			if k.Kind != audit.CredentialPasskey || !k.Active {
				continue
			}
			one, err := k.passkey()
			if err != nil {
				return err
			}
			one.LastUsedAt = s.used.latest(k.ID, k.LastUsedAt)
			found = append(found, one)
		}
		return nil
	})
	return found, err
}

// RemovePasskey ends one of the caller's passkeys, with the sessions that it opened and the API
// keys that were made in them. It needs the scope keys:write. NotFound: there is none of that id,
// or it is another user's. Denied: it gives a scope that the caller lacks.
func (s *Service) RemovePasskey(ctx context.Context, who Actor, id uuid.UUID) error {
	return s.revoke(ctx, who, policy.PasskeyRemove, id)
}
