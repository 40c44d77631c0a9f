package attack_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/internal/backup"
	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/doctor"
	"github.com/keysake/keysake/internal/instance"
	"github.com/keysake/keysake/internal/maintenance"
)

// A changedBackup is a backup that the attacker reads, changes and writes again, with counts and a
// digest that fit.
type changedBackup struct {
	h        *House
	manifest map[string]any
	tables   []backup.Table
	rows     dump
	rest     []string // the lines after the rows, but for the digest
}

// change lets the attacker change a backup in its file.
func (h *House) changeBackup(file string, change func(b *changedBackup)) {
	h.t.Helper()
	content, err := os.ReadFile(file)
	apptest.Must(h.t, err)
	lines := strings.SplitAfter(strings.TrimSuffix(string(content), "\n"), "\n")
	b := &changedBackup{h: h, rows: dump{}}
	var m backup.Manifest
	apptest.Must(h.t, json.Unmarshal([]byte(lines[1]), &m))
	apptest.Must(h.t, json.Unmarshal([]byte(lines[1]), &b.manifest))
	b.tables = m.Tables
	for _, line := range lines[2 : len(lines)-1] {
		if !b.read(line) {
			b.rest = append(b.rest, line)
		}
	}
	change(b)
	var out bytes.Buffer
	out.WriteString(lines[0])
	b.write(&out)
	for _, line := range b.rest {
		out.WriteString(line)
	}
	fmt.Fprintf(&out, "{\"sha256\":\"%x\"}\n", sha256.Sum256(out.Bytes()))
	apptest.Must(h.t, os.WriteFile(file, out.Bytes(), 0o600))
}

// read takes the line of a row, and reports whether it is one.
func (b *changedBackup) read(line string) bool {
	var values []any
	d := json.NewDecoder(strings.NewReader(line))
	d.UseNumber()
	if d.Decode(&values) != nil || len(values) == 0 {
		return false
	}
	name, _ := values[0].(string)
	r := row{}
	for i, c := range b.table(name).Columns {
		switch v := values[i+1].(type) {
		case json.Number:
			n, err := v.Int64()
			apptest.Must(b.h.t, err)
			r[c.Name] = n
		case string:
			r[c.Name] = v
			if c.Kind == backup.Blob {
				blob, err := base64.StdEncoding.DecodeString(v)
				apptest.Must(b.h.t, err)
				r[c.Name] = blob
			}
		default:
			r[c.Name] = v
		}
	}
	b.rows[name] = append(b.rows[name], r)
	return true
}

func (b *changedBackup) table(name string) backup.Table {
	i := slices.IndexFunc(b.tables, func(t backup.Table) bool { return t.Name == name })
	return b.tables[i]
}

func (b *changedBackup) write(out *bytes.Buffer) {
	for i, t := range b.tables {
		b.tables[i].Rows = int64(len(b.rows[t.Name]))
	}
	b.manifest["tables"] = b.tables
	manifest, err := json.Marshal(b.manifest)
	apptest.Must(b.h.t, err)
	out.Write(append(manifest, '\n'))
	for _, t := range b.tables {
		slices.SortFunc(b.rows[t.Name], func(x, y row) int {
			for _, c := range t.Columns[:t.Key] {
				if order := compare(x[c.Name], y[c.Name]); order != 0 {
					return order
				}
			}
			return 0
		})
		for _, r := range b.rows[t.Name] {
			values := []any{t.Name}
			for _, c := range t.Columns {
				values = append(values, r[c.Name]) // bytes become base64
			}
			line, err := json.Marshal(values)
			apptest.Must(b.h.t, err)
			out.Write(append(line, '\n'))
		}
	}
}

func compare(x, y any) int {
	if n, ok := x.(int64); ok {
		m, _ := y.(int64)
		return int(n - m)
	}
	s, _ := x.(string)
	other, _ := y.(string)
	return strings.Compare(s, other)
}

// set changes a column of every row that has a value in another one.
func (b *changedBackup) set(table, where string, is any, column string, value any) {
	b.h.t.Helper()
	n := 0
	for _, r := range b.rows[table] {
		if r[where] == is && r.has(column) {
			r[column] = value
			n++
		}
	}
	if n == 0 {
		b.h.t.Fatalf("no row of %s was changed", table)
	}
}

func (b *changedBackup) add(table string, r row) { b.rows[table] = append(b.rows[table], r) }

func (b *changedBackup) drop(table, where string, is any) {
	b.rows[table] = slices.DeleteFunc(b.rows[table], func(r row) bool { return r[where] == is })
}

// restore makes a house of a backup, with the configuration of this one.
func (h *House) restore(file string) (config.Config, error) {
	h.t.Helper()
	cfg := h.elsewhere()
	o := maintenance.RestoreOptions{KeepAPIKeys: true}
	_, err := maintenance.Restore(h.t.Context(), cfg, nil, file, o)
	return cfg, err
}

// notRestored demands that a changed backup becomes no house, and that doctor names it.
func (h *House) notRestored(file string) {
	h.t.Helper()
	cfg, err := h.restore(file)
	if err == nil {
		h.t.Error("the backup was restored")
	}
	if _, err := os.Stat(filepath.Join(cfg.Data, instance.DatabaseFile)); err == nil {
		h.t.Error("there is a database")
	}
	h.namedBy(h.doctor(file))
}

func TestABackupThatNobodyChangedIsRestored(t *testing.T) {
	h := newHouse(t)
	file := h.backup()
	h.changeBackup(file, func(*changedBackup) {})
	if found := failed(h.doctor(file)); len(found) > 0 {
		t.Errorf("doctor: %q", found)
	}
	cfg, err := h.restore(file)
	apptest.Must(t, err)
	o := maintenance.DoctorOptions{Sample: doctor.All}
	r, err := maintenance.Doctor(t.Context(), cfg, nil, o)
	if found := failed(r.Checks); err != nil || len(found) > 0 {
		t.Errorf("doctor of the restored house: %q (%v)", found, err)
	}
}

func TestABackupWithAForeignRootKeyIsNotRestored(t *testing.T) {
	h := newHouse(t)
	file := h.backup()
	path, root := h.rootKeyFile()
	key := h.newOwnerKey()
	h.changeBackup(file, func(b *changedBackup) {
		b.add("root_keys", h.rootKeyRow(root, fileURL(path), "replaced"))
		b.add("owner_keys", h.ownerKeyRow(h.mia, root, key))
		for _, r := range b.rows["users"] {
			if r["id"] == h.mia.id && r.has("owner_key_id") {
				r["owner_key_id"] = key.ID().String()
			}
		}
	})
	h.notRestored(file)
}

func TestABackupOfAnotherHouseIsNotRestored(t *testing.T) {
	h := newHouse(t)
	other := h.sharing()
	h.notRestored(other.backup())
}

// restoredHouse returns the house that a backup of this one became.
func (h *House) restoredHouse(file string) *House {
	h.t.Helper()
	cfg, err := h.restore(file)
	apptest.Must(h.t, err)
	other := *h
	other.cfg = cfg
	other.Server = apptest.StartWith(h.t, cfg)
	other.connect()
	return &other
}

func TestADatabaseFileOfAnotherHouseIsNotServed(t *testing.T) {
	h, other := newHouse(t), newHouse2(t)
	other.Stop(t)
	h.Stop(t)
	apptest.Must(t, h.db.Close())
	for _, suffix := range []string{"-wal", "-shm"} {
		_ = os.Remove(h.file() + suffix)
	}
	content, err := os.ReadFile(other.file())
	apptest.Must(t, err)
	apptest.Must(t, os.WriteFile(h.file(), content, 0o600))
	h.connect()
	if h.start() == nil {
		t.Error("it started")
		h.refusedKey(other.ada.key)
	}
	h.named()
}
