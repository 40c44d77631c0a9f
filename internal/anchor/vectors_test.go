package anchor_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/anchor"
	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/base62"
	"github.com/keysake/keysake/internal/policy"
	"github.com/keysake/keysake/internal/seal"
	"github.com/keysake/keysake/internal/vault"
)

// A field is a line of a vector.
type field struct{ name, value string }

// A vector is a ledger or a row, with the bytes that a program made of it that was written from
// format.md alone.
type vector []field

func (v vector) get(name string) string {
	i := slices.IndexFunc(v, func(f field) bool { return f.name == name })
	return v[i].value
}

func (v vector) id(name string) uuid.UUID { return uuid.MustParse(v.get(name)) }

func (v vector) bytes(name string) []byte { return must(hex.DecodeString(v.get(name))) }

func (v vector) number(name string) uint64 { return must(strconv.ParseUint(v.get(name), 10, 64)) }

func (v vector) hash(name string) (sum [sha256.Size]byte) {
	copy(sum[:], v.bytes(name))
	return sum
}

func (v vector) head(name string) audit.Head {
	seq, hash, _ := strings.Cut(v.get(name), " ")
	return audit.Head{
		Seq: must(strconv.ParseUint(seq, 10, 64)), Hash: audit.Hash(must(hex.DecodeString(hash))),
	}
}

func (v vector) set(name string) (s anchor.Set) {
	for entry := range strings.FieldsSeq(v.get(name)) {
		s.Add(must(hex.DecodeString(entry)))
	}
	return s
}

// ledger is the ledger that a vector describes, unsigned.
func (v vector) ledger() anchor.Ledger {
	return anchor.Ledger{
		User: v.id("user"), Number: v.number("number"), State: anchor.State(v.number("state")),
		OwnerKey: v.id("owner-key"), PreviousKey: v.id("previous-key"), Seals: v.number("seals"),
		Identity: v.hash("identity"), Cut: v.head("cut"), Head: v.head("head"),
		Secrets: v.set("secrets"), Versions: v.set("versions"), APIKeys: v.set("api-keys"),
		Leases: v.set("leases"),
	}
}

// row is the row that a vector describes.
func (v vector) row() anchor.Row {
	row := anchor.NewRow(v.get("kind"))
	for _, f := range v {
		switch f.name {
		case "id":
			row = row.ID(uuid.MustParse(f.value))
		case "number":
			row = row.Number(must(strconv.ParseUint(f.value, 10, 64)))
		case "flag":
			row = row.Flag(f.value == "1")
		case "time":
			at := time.Time{}
			if f.value != "none" {
				at = time.UnixMicro(must(strconv.ParseInt(f.value, 10, 64)))
			}
			row = row.Time(at)
		case "bytes":
			row = row.Bytes(must(hex.DecodeString(f.value)))
		case "text":
			row = row.Text(f.value)
		}
	}
	return row
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// vectors returns the vectors whose names begin with prefix. There is at least one, or the test
// fails.
func vectors(tb testing.TB, prefix string) map[string]vector {
	tb.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", "vectors", prefix+"-*.txt"))
	if err != nil || len(paths) == 0 {
		tb.Fatalf("there are no vectors of a %s (%v)", prefix, err)
	}
	found := map[string]vector{}
	for _, path := range paths {
		name := strings.TrimSuffix(filepath.Base(path), ".txt")
		for line := range strings.Lines(string(must(os.ReadFile(path)))) {
			key, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), ":")
			if ok && !strings.HasPrefix(line, "#") {
				found[name] = append(found[name], field{key, strings.TrimPrefix(value, " ")})
			}
		}
	}
	return found
}

// instanceKey returns the instance key of the vectors: the one of package seal's.
func instanceKey(tb testing.TB) seal.InstanceKey {
	tb.Helper()
	const path = "../seal/testdata/vectors/instance-key.txt"
	var v vector
	for line := range strings.Lines(string(must(os.ReadFile(path)))) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), ": "); ok {
			v = append(v, field{key, value})
		}
	}
	root := must(seal.NewRootKey(v.bytes("key")))
	return must(root.UnwrapInstance(tb.Context(), v.id("subject"), v.bytes("blob")))
}

// believe returns the keys that are believed.
func believe(keys ...seal.InstanceKey) anchor.Keys {
	return func(id uuid.UUID) (seal.InstanceKey, bool) {
		for _, k := range keys {
			if k.ID() == id {
				return k, true
			}
		}
		return seal.InstanceKey{}, false
	}
}

func TestALedgerHasTheBytesOfItsVector(t *testing.T) {
	key := instanceKey(t)
	for name, v := range vectors(t, "ledger") {
		want, l := v.bytes("ledger"), v.ledger()
		if signed, err := l.Sign(key); err != nil || !bytes.Equal(signed, want) {
			t.Errorf("%s: it is signed as %x: %v", name, signed, err)
		}
		opened, by, err := anchor.Open(want, l.User, believe(key))
		if err != nil || !by.Equal(key) {
			t.Errorf("%s does not open: %v", name, err)
			continue
		}
		wantSame(t, opened, l)
	}
}

func TestARowHasTheCodeOfItsVector(t *testing.T) {
	key := instanceKey(t)
	for name, v := range vectors(t, "row") {
		row, code := v.row(), v.bytes("code")
		for _, width := range []int{anchor.VersionEntry, anchor.KeyEntry, len(code)} {
			if entry := row.Entry(key, width); !bytes.Equal(entry, code[:width]) {
				t.Errorf("%s: its entry of %d bytes is %x", name, width, entry)
			}
		}
		if digest := row.Digest(); digest != v.hash("sha256") {
			t.Errorf("%s: its digest is %x", name, digest)
		}
	}
}

// The order of the fields is that of format.md.
func TestStoredRowsHaveTheFieldsOfTheirVectors(t *testing.T) {
	all := vectors(t, "row")
	made := time.UnixMicro(1_700_000_000_000_000)
	id := func(name string, n int) uuid.UUID { // the nth id of a vector
		for _, f := range all[name] {
			if f.name != "id" {
				continue
			}
			if n == 0 {
				return uuid.MustParse(f.value)
			}
			n--
		}
		panic(name + " has no such id")
	}
	secret := vault.StoredSecret{
		User: id("row-secret", 0), ID: id("row-secret", 1), Name: "DEPLOY_TOKEN_ü", Version: 3,
		Stamp:      seal.Stamp(all["row-secret"].bytes("bytes")),
		SealedMask: must(hex.DecodeString(all["row-secret"][7].value)), SealedValue: []byte("any"),
		CreatedAt: made, UpdatedAt: made.Add(time.Microsecond),
		ExpiresAt: time.UnixMicro(1_800_000_000_000_000), RemindBefore: 14 * 24 * time.Hour,
	}
	operators := vault.APIKey{
		User: id("row-api-key", 0), ID: id("row-api-key", 1),
		Hash: all["row-api-key"].hash("bytes"), Masked: "ksk_ab", Suspended: true, CreatedAt: made,
		LastUsedAt: made, RevokedAt: made,
	}
	key := operators
	key.Parent, key.Name = id("row-api-key", 2), "laptop"
	key.Scopes = []policy.Scope{policy.SecretsRead, policy.LeasesWrite}
	key.SelfRevoke, key.Suspended = true, false
	key.ExpiresAt = time.UnixMicro(1_800_000_000_000_000)
	user := vault.StoredUser{
		StoredLedger: vault.StoredLedger{Owner: id("row-user", 0), Number: 5},
		Username:     "mia", Email: "mia@example.org", CreatedAt: made, DeletedAt: made,
		DeleteAt: key.ExpiresAt, Watch: vault.Watch{UnusedAfter: 90 * 24 * time.Hour},
		ProbeDueAt: made, NoticeDueAt: made,
	}
	repaired := user
	repaired.FullName, repaired.DeleteAt, repaired.RepairedAt = "Mia", time.Time{}, key.ExpiresAt
	repaired.ProbeEvery = 24 * time.Hour
	lease := vault.StoredLease{
		User: id("row-lease", 0), ID: id("row-lease", 1), APIKey: id("row-lease", 2),
		APIKeyName: "laptop", By: vault.Acting{
			Grant: id("row-lease", 3), User: id("row-lease", 4), Name: "acme-backend",
		},
		Delivery: vault.ByTicket, Ticket: all["row-lease"].bytes("bytes"),
		Run: vault.Run{ID: "run-7", Label: "nightly ü"},
		Secrets: []vault.LeasedSecret{
			{ID: id("row-lease", 5), Name: "DEPLOY_KEY_ü", Version: 3},
			{ID: id("row-lease", 6), Name: "OTHER"},
		},
		CreatedAt: made, ExpiresAt: made.Add(time.Hour), RevokedAt: made,
	}
	for name, got := range map[string][sha256.Size]byte{
		"row-secret": secret.Row().Digest(),
		"row-lease":  lease.Row().Digest(),
		"row-version": vault.StoredVersion{
			User: secret.User, Secret: secret.ID, Number: 2, Name: "DEPLOY_KEY_ü",
			Stamp: secret.Stamp, SealedMask: secret.SealedMask, SealedValue: []byte("any"),
			CreatedAt: made,
		}.Row().Digest(),
		"row-api-key":             key.Row().Digest(),
		"row-api-key-of-operator": operators.Row().Digest(),
		"row-user":                user.Identity(),
		"row-user-repaired":       repaired.Identity(),
		"row-done-request": vault.DoneRequest{
			User: id("row-done-request", 0), Key: all["row-done-request"].hash("bytes"),
			Request: sha256.Sum256([]byte("request code")), Action: "secret.create",
			Resource: secret.ID, Version: 1, ExpiresAt: made,
		}.Row().Digest(),
	} {
		if want := all[name].hash("sha256"); got != want {
			t.Errorf("%s has other fields", name)
		}
	}
}

// The ticket is that of package seal's format.md.
func TestTheTicketOfALeaseFollowsFromItsID(t *testing.T) {
	v := vectors(t, "row")["row-lease"]
	lease := uuid.MustParse(v[2].value)
	bits := instanceKey(t).TicketMAC(lease[:])
	ticket := "kst_" + base62.Encode(bits[:], 43)
	ticket += base62.Checksum([]byte(ticket))
	if hash := sha256.Sum256([]byte(ticket)); hash != v.hash("bytes") {
		t.Errorf("its hash is %x", hash)
	}
}
