package attack_test

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/internal/base62"
	"github.com/keysake/keysake/internal/instance"
	"github.com/keysake/keysake/internal/maintenance"
	"github.com/keysake/keysake/internal/seal"
	"github.com/keysake/keysake/plaintext"
	"github.com/keysake/keysake/wire"
)

// forgeToken returns a token of the form of those with a prefix, and its hash.
func forgeToken(prefix string) (plaintext.Value, []byte) {
	random := make([]byte, 32)
	_, _ = rand.Read(random)
	body := prefix + base62.Encode(random, 43)
	token := body + base62.Checksum([]byte(body))
	hash := sha256.Sum256([]byte(token))
	return plaintext.FromString(token), hash[:]
}

// forgeKey returns a row of an API key of a person with a token that the attacker has.
func (h *House) forgeKey(p Person, pairs ...any) (row, plaintext.Value) {
	h.t.Helper()
	token, hash := forgeToken("ksk_")
	r := h.byID("api_keys", p.keyID).with("id", newID(), "token_hash", hash)
	return r.with(pairs...), token
}

// rootKeyFile makes a root key of the attacker's in a file.
func (h *House) rootKeyFile() (path string, root seal.RootKey) {
	h.t.Helper()
	bits := make([]byte, 32)
	_, _ = rand.Read(bits)
	path = filepath.Join(h.t.TempDir(), "root-key")
	apptest.Must(h.t, os.WriteFile(path, bits, 0o600))
	root, err := seal.NewRootKey(bits)
	apptest.Must(h.t, err)
	return path, root
}

// trueRootKey is the house's own root key, as somebody has it who may ask the key service to wrap.
func (h *House) trueRootKey() seal.RootKey {
	h.t.Helper()
	bits, err := os.ReadFile(h.cfg.Data + ".root-key")
	apptest.Must(h.t, err)
	root, err := seal.NewRootKey(bits)
	apptest.Must(h.t, err)
	return root
}

// rootKeyRow returns a row of root_keys for a root key of the attacker's.
func (h *House) rootKeyRow(root seal.RootKey, url, state string) row {
	h.t.Helper()
	check, err := root.Check(h.t.Context())
	apptest.Must(h.t, err)
	own := h.rows("root_keys", "1")[0]
	return own.with("id", root.ID().String(), "check_value", check).
		ifAny("url", url, "state", state, "replaced_at", time.Now().UnixMicro())
}

// ownerKeyRow returns a row of owner_keys for an owner key of the attacker's that a root key wraps.
func (h *House) ownerKeyRow(p Person, root seal.RootKey, key seal.OwnerKey) row {
	h.t.Helper()
	wrapped, err := root.Wrap(h.t.Context(), uuid.MustParse(p.id), key)
	apptest.Must(h.t, err)
	return h.row("owner_keys", "user_id = ?", p.id).
		with("id", key.ID().String(), "root_key_id", root.ID().String(), "wrapped", wrapped)
}

// pointTo makes a user's row name another owner key, where the row does that.
func (h *House) pointTo(p Person, key uuid.UUID) {
	h.t.Helper()
	was := h.byID("users", p.id)
	h.change("users", was, was.ifAny("owner_key_id", key.String()))
}

// notSealedBy demands that a key of the attacker's has sealed nothing.
func (h *House) notSealedBy(key uuid.UUID) {
	h.t.Helper()
	n := 0
	for _, table := range []string{"secrets", "secret_versions"} {
		for _, r := range h.rows(table, "1") {
			for _, v := range r {
				if b, ok := v.([]byte); ok && bytes.Contains(b, key[:]) {
					n++
				}
			}
		}
	}
	if n > 0 {
		h.t.Errorf("%d values and masks are sealed with a key of the attacker's", n)
	}
}

// newOwnerKey makes an owner key of the attacker's.
func (h *House) newOwnerKey() seal.OwnerKey {
	h.t.Helper()
	key, err := seal.NewOwnerKey()
	apptest.Must(h.t, err)
	return key
}

func secretOf(p Person, name string) wire.CreateSecret {
	return wire.CreateSecret{Name: name, Value: value(p, name, "first")}
}

// rotateRootKey moves everything to a new root key, as the operator does after a leak.
func (h *House) rotateRootKey() (string, error) {
	h.t.Helper()
	url := "file:" + filepath.Join(h.t.TempDir(), "next-root-key")
	_, err := maintenance.RotateRootKey(
		h.t.Context(), h.cfg, nil, maintenance.NewRootKey{URL: url}, silent)
	return url, err
}

func updateTo(p Person, name string, n int) wire.UpdateSecret {
	return wire.UpdateSecret{Value: value(p, name, fmt.Sprint("other-", n))}
}

// backup makes a backup as the operator does.
func (h *House) backup() (file string) {
	h.t.Helper()
	file = filepath.Join(h.t.TempDir(), "backup")
	_, err := maintenance.Backup(h.t.Context(), h.cfg, nil, file, false)
	apptest.Must(h.t, err)
	return file
}

func wireKey(name string, scopes []string) wire.CreateAPIKey {
	return wire.CreateAPIKey{AllowedScopes: &scopes, Name: &name}
}

func tokenOf(made wire.APIKey) plaintext.Value { return plaintext.FromString(made.Key) }

// wantNoAdminKey demands that the operator's new key for an admin is not for who says so in a row.
func wantNoAdminKey(h *House, username string) {
	h.t.Helper()
	h.Stop(h.t)
	_, _, err := instance.NewAdminKey(h.t.Context(), h.cfg, nil, username)
	if err == nil {
		h.t.Error("there is a new key")
	}
	h.noAdmin(h.eve)
}

// wantNoInit demands that init makes no admin of who says so in a row.
func wantNoInit(h *House, username string) {
	h.t.Helper()
	h.Stop(h.t)
	_, _ = instance.Init(h.t.Context(), h.cfg, nil, username)
	h.noAdmin(h.eve)
}

// noAdmin demands that a person has no key with the scope admin but those that the attacker made.
func (h *House) noAdmin(p Person) {
	h.t.Helper()
	for _, r := range h.rows("api_keys", "user_id = ?", p.id) {
		if strings.Contains(r.text("scopes"), "admin secrets:read") {
			continue
		}
		if strings.Contains(r.text("scopes"), "admin") {
			h.t.Errorf("%s has a key with the scope admin", p.name)
		}
	}
}
