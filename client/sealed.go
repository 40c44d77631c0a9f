package client

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/keysake/keysake/bundle"
	"github.com/keysake/keysake/plaintext"
	"github.com/keysake/keysake/wire"
)

const sealedType = "application/keysake-sealed+json"

// WithoutSealing sends bodies as they are. Without it the client seals each body to the server's
// sealing key, so that what ends TLS or logs bodies on the way sees no value.
func WithoutSealing() Option { return func(c *Client) { c.sealing = nil } }

// A sealingKey is what bodies are sealed to.
type sealingKey struct {
	id     string
	to     bundle.Recipient
	server [16]byte
	until  time.Time
}

// sealing remembers the server's sealing key until another one is current.
type sealing struct{ key atomic.Pointer[sealingKey] }

// body returns the body of a request and its media type: sealed, unless the client was told not to.
func (c *Client) body(
	ctx context.Context, method, path string, plain []byte,
) (body []byte, media string, err error) {
	if c.sealing == nil {
		return plain, "application/json", nil
	}
	key := c.sealing.key.Load()
	if key == nil || !time.Now().Before(key.until) {
		if key, err = c.fetchSealingKey(ctx); err != nil {
			return nil, "", err
		}
		c.sealing.key.Store(key)
	}
	sealed, err := bundle.SealRequest(key.to, bundle.Request{
		Server: key.server, Method: method, Target: apiPath + path,
		Credential: sha256.Sum256(c.key.Reveal()),
	}, plain)
	if err != nil {
		return nil, "", err
	}
	body, err = json.Marshal(struct {
		Sealed []byte `json:"sealed"`
	}{sealed})
	return body, sealedType + "; key=" + key.id, err
}

func (c *Client) fetchSealingKey(ctx context.Context) (*sealingKey, error) {
	anyone := *c
	anyone.key = plaintext.Value{}
	ctx = context.WithValue(ctx, perCallKey{}, perCall{}) // what that asks is of the other request
	got, err := call[wire.SealingKey](ctx, &anyone, http.MethodGet, "/sealing-key", nil)
	if errors.Is(err, ErrNotFound) {
		return nil, ErrNoSealing
	}
	if err != nil {
		return nil, err
	}
	to, badKey := bundle.ParseRecipient(got.Recipient)
	server, badServer := parseUUID(got.Server)
	if badKey != nil || badServer != nil || !isToken(got.ID) {
		return nil, errors.New("client: the server's sealing key is not one: " +
			"check the server's address")
	}
	return &sealingKey{got.ID, to, server, got.ExpiresAt}, nil
}

// forget drops the server's key if an answer says that it is not in use, and reports whether.
func (c *Client) forget(err error) bool {
	refused, ok := errors.AsType[*Error](err)
	if !ok || c.sealing == nil {
		return false
	}
	for _, f := range refused.Fields {
		if f.Type == wire.TypeSealingKey {
			c.sealing.key.Store(nil)
			return true
		}
	}
	return false
}

// isToken reports whether an id can be the parameter of a media type.
func isToken(id string) bool {
	for _, c := range []byte(id) {
		if c != '-' && c != '_' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') &&
			(c < 'a' || c > 'z') {
			return false
		}
	}
	return id != "" && len(id) <= 64
}

func parseUUID(text string) (id [16]byte, err error) {
	b, err := hex.DecodeString(strings.ReplaceAll(text, "-", ""))
	if err != nil || len(b) != len(id) || len(text) != 36 {
		return id, errors.New("client: not a UUID")
	}
	return [16]byte(b), nil
}

// OpenBundle opens the bundle of a lease with the key to whose recipient it was sealed. Compare the
// names in it with those that were asked for: that it opens says nothing of who sealed it. Wipe the
// payload when it is of no more use. [bundle.ErrOpen]: it was sealed to another key or for another
// lease, or was changed.
func OpenBundle(k *bundle.Key, b wire.Bundle) (bundle.Payload, error) {
	server, badServer := parseUUID(b.Server)
	lease, badLease := parseUUID(b.Lease)
	if badServer != nil || badLease != nil {
		return bundle.Payload{}, bundle.ErrOpen
	}
	return bundle.Open(
		k, bundle.Binding{Server: server, Lease: lease, Purpose: bundle.PurposeEnv}, b.Sealed)
}
