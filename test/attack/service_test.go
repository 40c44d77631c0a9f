package attack_test

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/internal/seal"
	"github.com/keysake/keysake/wire"
)

// keyServices lets every key service be one that counts who asks it.
func keyServices(t *testing.T) *atomic.Int64 {
	t.Helper()
	asked := &atomic.Int64{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		w.WriteHeader(http.StatusForbidden)
	}))
	t.Cleanup(s.Close)
	for _, name := range []string{"VAULT_ADDR", "BAO_ADDR", "AWS_ENDPOINT_URL_KMS"} {
		t.Setenv(name, s.URL)
	}
	for _, name := range []string{"VAULT_TOKEN", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} {
		t.Setenv(name, "token-of-nobody")
	}
	return asked
}

// plain is a key service of the attacker's.
type plain struct{}

func (plain) Encrypt(_ context.Context, b []byte) ([]byte, error) {
	return []byte("vault:v1:" + base64.StdEncoding.EncodeToString(b)), nil
}

func (plain) Decrypt(context.Context, []byte) ([]byte, error) { return nil, errors.ErrUnsupported }

// An address in a row would have the server ask with the operator's token.
func TestAnAddressInARowIsNeverAsked(t *testing.T) {
	for name, url := range map[string]string{
		"another key":    "hashivault://other",
		"a path":         "hashivault://x/../../../sys/seal",
		"an endpoint":    "awskms:///alias/x?endpoint=http://127.0.0.1:1",
		"another file":   "file:/proc/self/environ",
		"a path of dots": "file:../../../../etc/passwd",
	} {
		t.Run(name, func(t *testing.T) {
			asked := keyServices(t)
			h := newHouse2(t)
			root := seal.NewServiceRootKey(seal.ServiceRootKeyID(url), plain{})
			key := h.newOwnerKey()
			h.insert("root_keys", h.rootKeyRow(root, url, "replaced"))
			h.insert("owner_keys", h.ownerKeyRow(h.mia, root, key))
			h.pointTo(h.mia, key.ID())
			use := func() {
				_, _ = h.as(h.mia).CreateSecret(t.Context(), secretOf(h.mia, newName()))
				_ = h.rollback(h.mia, h.one.ID, 1)
			}
			use()
			if h.start() == nil {
				use()
			}
			h.named()
			if n := asked.Load(); n > 0 {
				t.Errorf("the key service was asked %d times", n)
			}
			h.notSealedBy(key.ID())
		})
	}
}

func TestAChangedAddressOfTheTrueRootKeyIsNotAsked(t *testing.T) {
	asked := keyServices(t)
	h := newHouse2(t)
	own := h.rows("root_keys", "1")[0]
	h.change("root_keys", own, own.ifAny("url", "hashivault://other"))
	if h.start() == nil {
		h.works(h.mia)
		h.update(h.mia, h.one.ID, "ONE", "third")
	}
	if n := asked.Load(); n > 0 {
		t.Errorf("the key service was asked %d times", n)
	}
}

func TestParametersOfAPassphraseInARowExhaustNothing(t *testing.T) {
	file := filepath.Join(t.TempDir(), "passphrase")
	apptest.Must(t, os.WriteFile(file, []byte("correct horse battery staple tree\n"), 0o600))
	h := newHouseWith(t, "passphrase:", file)
	own := h.rows("root_keys", "1")[0]
	was := own.text("params")
	for name, params := range map[string]string{
		"memory":     strings.Replace(was, "m=65536", "m=4194304000", 1),
		"time":       strings.Replace(was, "t=3", "t=4294967295", 1),
		"threads":    strings.Replace(was, "p=4", "p=255", 1),
		"weak":       strings.Replace(was, "m=65536,t=3", "m=8,t=1", 1),
		"other salt": was[:strings.LastIndex(was, "$")+1] + "AAAAAAAAAAAAAAAAAAAAAA",
		"a name":     strings.Replace(was, "argon2id", "argon2d", 1),
		"none":       "",
	} {
		if params == was {
			t.Fatalf("%s changes nothing", name)
		}
		h.change("root_keys", own, own.with("params", params))
		begun := time.Now()
		if h.start() == nil {
			t.Errorf("%s: the next server started", name)
		}
		if took := time.Since(begun); took > 20*time.Second {
			t.Errorf("%s: it took %v", name, took)
		}
	}
	h.change("root_keys", own, own)
	apptest.Must(t, h.start())
	h.is(h.mia, h.one, "second")
}

func TestARootKeyRowThatIsMissingIsNotMadeAnew(t *testing.T) {
	h := newHouse(t)
	h.exec("DELETE FROM root_keys")
	if h.start() == nil {
		h.works(h.mia)
		h.update(h.mia, h.one.ID, "ONE", "third")
	}
	h.named()
}

func TestACheckValueOfAnotherRootKeyChangesNoKey(t *testing.T) {
	h := newHouse(t)
	_, root := h.rootKeyFile()
	check, err := root.Check(t.Context())
	apptest.Must(t, err)
	own := h.rows("root_keys", "1")[0]
	h.change("root_keys", own, own.with("check_value", check))
	if h.start() == nil {
		h.is(h.mia, h.one, "second")
	}
	h.named()
}

func TestARootKeyOfAnotherStateRevivesNothing(t *testing.T) {
	h := newHouse(t)
	own := h.rows("root_keys", "1")[0]
	if !own.has("state") {
		return
	}
	h.change("root_keys", own, own.with("state", "retired", "retired_at", int64(1)))
	use := func() {
		_, err := h.as(h.ada).CreateUser(t.Context(), wire.CreateUser{Username: newName()})
		if err == nil {
			h.works(h.mia)
		}
	}
	use()
	if h.start() == nil {
		use()
	}
	h.named()
}
