package api_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	_ "modernc.org/sqlite"

	"github.com/keysake/keysake/client"
	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/plaintext"
	"github.com/keysake/keysake/wire"
)

// withVersions makes a secret of the user dev that has had three values, and returns its id.
func withVersions(t *testing.T, c *client.Client) string {
	t.Helper()
	made, err := c.CreateSecret(t.Context(), wire.CreateSecret{Name: "A", Value: longValue("a")})
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range []string{"b", "c"} {
		in := wire.UpdateSecret{Value: longValue(l)}
		if _, err := c.UpdateSecret(t.Context(), made.ID, in); err != nil {
			t.Fatal(err)
		}
	}
	return made.ID
}

func longValue(letter string) plaintext.Value {
	return plaintext.FromString(strings.Repeat(letter, 30))
}

// versionsOf returns the numbers and masks of a secret's versions, the current one with a star.
func versionsOf(t *testing.T, c *client.Client, id string) string {
	t.Helper()
	list, err := c.ListVersions(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if list.Total != len(list.Versions) {
		t.Errorf("total is %d of %d", list.Total, len(list.Versions))
	}
	var all []string
	for _, v := range list.Versions {
		text := fmt.Sprint(v.Number, v.MaskedValue[:1])
		if v.Current {
			text = "*" + text
		}
		all = append(all, text)
	}
	return strings.Join(all, " ")
}

func TestVersionsAreListedAndRolledBackTo(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, func(c *config.Config) { c.KeepVersions = 4 })
	c := s.Client(t)
	id := withVersions(t, c)
	if got := versionsOf(t, c, id); got != "*3c 2b 1a" {
		t.Errorf("versions are %s", got)
	}
	secret, err := c.RollbackSecret(t.Context(), id, wire.RollbackSecret{Version: 1})
	if err != nil || secret.ID != id || !strings.HasPrefix(secret.MaskedValue, "aaaaaa") {
		t.Errorf("the rollback: %v, %+v", err, secret)
	}
	if again, err := c.GetSecret(t.Context(), id); err != nil || again != secret {
		t.Errorf("afterwards it is %+v, %v", again, err)
	}
	if _, err := c.RollbackSecret(t.Context(), id, wire.RollbackSecret{Version: 4}); err != nil {
		t.Errorf("a rollback to the current version: %v", err)
	}
	if got := versionsOf(t, c, id); got != "*4a 3c 2b 1a" {
		t.Errorf("versions are %s", got)
	}
}

func TestARollbackIsRefusedByFieldAndLikeAnUnknownIdForOthers(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t)
	c := s.Client(t)
	id := withVersions(t, c)
	_, err := c.RollbackSecret(t.Context(), id, wire.RollbackSecret{Version: 9})
	refused, ok := errors.AsType[*client.Error](err)
	if !ok || refused.Status != 422 || len(refused.Fields) != 1 ||
		client.Location(refused.Fields[0]) != "body.version" ||
		refused.Fields[0].Type != "enum" {
		t.Errorf("a version that never was: %v", err)
	}
	other := s.ClientWith(t, s.NewUser(t, "mia"))
	for _, of := range []string{id, "00000000-0000-7000-8000-000000000000"} {
		_, listed := other.ListVersions(t.Context(), of)
		_, rolled := other.RollbackSecret(t.Context(), of, wire.RollbackSecret{Version: 1})
		for _, err := range []error{listed, rolled} {
			if refused, ok := errors.AsType[*client.Error](err); !ok || refused.Status != 404 {
				t.Errorf("%s for another user: %v", of, err)
			}
		}
	}
	if got := versionsOf(t, c, id); got != "*3c 2b 1a" {
		t.Errorf("versions are %s", got)
	}
}

func TestAnswersAboutVersionsAreThoseOfTheContract(t *testing.T) {
	t.Parallel()
	s := start(t)
	id := withVersions(t, s.Client(t))
	base := secretsPath + "/" + id
	for _, try := range []struct {
		method, path, body string
		status             int
		faults             []string
	}{
		{"GET", base + "/versions", "", 200, nil},
		{"POST", base + "/rollback", `{"version":1}`, 200, nil},
		{"POST", base + "/rollback", `{"version":0}`, 422, []string{"body.version greater_than_equal"}},
		{"POST", base + "/rollback", `{"version":-1}`, 422, []string{"body.version greater_than_equal"}},
		{"POST", base + "/rollback", `{"version":"1"}`, 422, []string{"body.version int_type"}},
		{"POST", base + "/rollback", `{"version":1.5}`, 422, []string{"body.version int_type"}},
		{"POST", base + "/rollback", `{"version":1.0}`, 422, []string{"body.version int_type"}},
		{"POST", base + "/rollback", `{"version":1e0}`, 422, []string{"body.version int_type"}},
		{"POST", base + "/rollback", `{"version":true}`, 422, []string{"body.version int_type"}},
		{"POST", base + "/rollback", `{"version":null}`, 422, []string{"body.version int_type"}},
		{"POST", base + "/rollback", `{"version":9223372036854775808}`, 422, []string{"body.version int_type"}},
		{"POST", base + "/rollback", `{"version":9223372036854775807}`, 422, []string{"body.version enum"}},
		{"POST", base + "/rollback", `{}`, 422, []string{"body.version missing"}},
		{"POST", base + "/rollback", `{"number":1}`, 422, []string{"body.number extra_forbidden", "body.version missing"}},
		{"GET", secretsPath + "/7/versions", "", 422, []string{"path.secret_id uuid_parsing"}},
		{"POST", secretsPath + "/7/rollback", `{"version":1}`, 422, []string{"path.secret_id uuid_parsing"}},
		{"PUT", base + "/versions", "", 405, nil},
	} {
		got := s.do(t, call{method: try.method, path: try.path, key: s.Key, body: try.body})
		if faults := got.faults(t); got.status != try.status || !slices.Equal(faults, try.faults) {
			t.Errorf("%s %s %s: answered %d for %q, want %d for %q",
				try.method, try.path, try.body, got.status, faults, try.status, try.faults)
		}
	}
}

// When a deletion is answered, nothing of it is left in the rows, and none in SQLite's files. The
// tests of the store show this for every case.
func TestWhatIsDeletedIsGoneFromTheFilesWithTheAnswer(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t)
	c := s.Client(t)
	id := withVersions(t, c)
	file, onDisk := filepath.Join(s.Data, "keysake.db"), s.DatabaseURL == ""
	blobs := sealedOf(t, s, id)
	if len(blobs) != 3 || onDisk && !inFiles(t, file, blobs) {
		t.Fatalf("%d blobs, which are not found while they are there", len(blobs))
	}
	if err := c.DeleteSecret(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if len(sealedOf(t, s, id)) > 0 || onDisk && inFiles(t, file, blobs) {
		t.Error("a sealed value is still there")
	}
}

// sealedOf returns the sealed values of all of a secret's versions.
func sealedOf(t *testing.T, s *apptest.Server, id string) (blobs [][]byte) {
	t.Helper()
	const query = `SELECT sealed_value FROM secrets WHERE id = $1
		UNION ALL SELECT sealed_value FROM secret_versions WHERE secret_id = $1`
	rows, err := databaseOf(t, s).QueryContext(t.Context(), query, id)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var b []byte
		if err := rows.Scan(&b); err != nil {
			t.Fatal(err)
		}
		blobs = append(blobs, b)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return blobs
}

// inFiles reports whether the end of any blob is in the database or its journal.
func inFiles(t *testing.T, file string, blobs [][]byte) bool {
	t.Helper()
	for _, suffix := range []string{"", "-wal"} {
		data, err := os.ReadFile(file + suffix)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range blobs {
			if bytes.Contains(data, b[len(b)-16:]) {
				return true
			}
		}
	}
	return false
}
