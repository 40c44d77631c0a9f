package seal_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/seal"
)

const vectorFolder = "testdata/vectors"

// go test ./internal/seal -run Vectors -update writes the folder again. Only new cases may change
// it.
var update = flag.Bool("update", false, "write the test vectors")

// A vector is an attempt to open a blob, and its result.
type vector struct {
	attempt
	about  string // one line
	expect string
	plain  []byte // where it opens
}

func (v vector) text() string {
	b := &strings.Builder{}
	fmt.Fprintf(
		b,
		"# %s\nexpect: %s\npurpose: %s\nkey: %x\nkey-id: %s\nowner: %s\nsubject: %s\n"+
			"version: %d\nblob: %x\n",
		v.about, v.expect, v.purpose, v.key, v.keyID, v.owner, v.subject, v.version, v.blob,
	)
	if v.expect == opens {
		fmt.Fprintf(b, "plaintext: %x\n", v.plain)
	}
	return b.String()
}

func parseVector(text string) (v vector, err error) {
	fields := map[string]string{}
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if about, found := strings.CutPrefix(line, "# "); found {
			v.about = about
			continue
		}
		name, value, found := strings.Cut(line, ":")
		if _, twice := fields[name]; twice || !found {
			return v, fmt.Errorf("a line is not a field, or repeats one: %q", name)
		}
		fields[name] = strings.TrimPrefix(value, " ")
	}
	var errs []error
	take := func(name string, parse func(string) error) {
		errs = append(errs, parse(fields[name]))
		delete(fields, name)
	}
	v.expect, v.purpose = fields["expect"], fields["purpose"]
	delete(fields, "expect")
	delete(fields, "purpose")
	for name, into := range map[string]*[]byte{
		"key": &v.key, "blob": &v.blob, "plaintext": &v.plain,
	} {
		take(name, func(s string) (err error) { *into, err = hex.DecodeString(s); return err })
	}
	for name, into := range map[string]*uuid.UUID{
		"key-id": &v.keyID, "owner": &v.owner, "subject": &v.subject,
	} {
		take(name, func(s string) (err error) { *into, err = uuid.Parse(s); return err })
	}
	take(
		"version",
		func(s string) (err error) { v.version, err = strconv.ParseUint(s, 10, 64); return err },
	)
	if len(fields) > 0 {
		errs = append(errs, fmt.Errorf("unknown fields: %v", slices.Collect(maps.Keys(fields))))
	}
	return v, errors.Join(errs...)
}

// readVectors returns the committed vectors by name. There is at least one, or the test fails.
func readVectors(tb testing.TB) map[string]vector {
	tb.Helper()
	paths, err := filepath.Glob(filepath.Join(vectorFolder, "*.txt"))
	if err != nil || len(paths) == 0 {
		tb.Fatalf("%s has no vectors (%v)", vectorFolder, err)
	}
	read := make(map[string]vector, len(paths))
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			tb.Fatal(err)
		}
		v, err := parseVector(string(text))
		if err != nil {
			tb.Fatalf("%s: %v", path, err)
		}
		read[strings.TrimSuffix(filepath.Base(path), ".txt")] = v
	}
	return read
}

func TestTheCommittedVectorsMatchTheFormat(t *testing.T) {
	made := makeVectors(t)
	if *update {
		writeVectors(t, made)
	}
	for name := range readVectors(t) {
		if _, found := made[name]; !found {
			t.Errorf("%s.txt belongs to no case", name)
		}
	}
	for name, v := range made {
		text, err := os.ReadFile(filepath.Join(vectorFolder, name+".txt"))
		if err != nil {
			t.Error(err)
		} else if string(text) != v.text() {
			t.Errorf("%s.txt does not match the format", name)
		}
	}
}

func writeVectors(t *testing.T, made map[string]vector) {
	t.Helper()
	if err := os.RemoveAll(vectorFolder); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(vectorFolder, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, v := range made {
		if err := os.WriteFile(
			filepath.Join(vectorFolder, name+".txt"), []byte(v.text()), 0o644,
		); err != nil {
			t.Fatal(err)
		}
	}
}

func TestEveryVectorEndsAsItSays(t *testing.T) {
	for name, v := range readVectors(t) {
		plain, err := v.open()
		if end := endOf(t, err); end != v.expect {
			t.Errorf("%s: it ends with %q, not with %q", name, end, v.expect)
		} else if !bytes.Equal(plain, v.plain) {
			t.Errorf("%s: it opens to something else", name)
		}
	}
}

func TestAnIndependentReaderEndsAsEveryVectorSays(t *testing.T) {
	for name, v := range readVectors(t) {
		plain, end := v.read()
		if end != v.expect {
			t.Errorf("%s: it ends with %q, not with %q", name, end, v.expect)
		} else if !bytes.Equal(plain, v.plain) {
			t.Errorf("%s: it opens to something else", name)
		}
	}
}

func TestTheVectorsHaveEveryPurposeAndEveryEnd(t *testing.T) {
	found := map[string]bool{}
	for _, v := range readVectors(t) {
		found[v.purpose+" "+v.expect] = true
	}
	for _, purpose := range []string{"value", "mask", "owner-key", "root-key-check"} {
		for _, end := range []string{opens, tampered, format, otherKey} {
			if !found[purpose+" "+end] {
				t.Errorf("there is no vector of a %s that ends with %q", purpose, end)
			}
		}
	}
}

// open opens the blob with the package.
func (a attempt) open() ([]byte, error) {
	at := seal.Binding{Owner: a.owner, Subject: a.subject, Version: a.version}
	switch a.purpose {
	case "value":
		v, err := seal.OwnerKeyOf(a.keyID, a.key).OpenValue(at, a.blob)
		return v.Reveal(), err
	case "mask":
		mask, err := seal.OwnerKeyOf(a.keyID, a.key).OpenMask(at, a.blob)
		return []byte(mask), err
	}
	root, err := seal.NewRootKey(a.key)
	if err != nil {
		return nil, err
	}
	switch {
	case root.ID() != a.keyID:
		return nil, errors.New("the root key has another id")
	case a.purpose == "root-key-check" && a.version == 0 && a.owner == uuid.Nil &&
		a.subject == a.keyID:
		return nil, root.OpenCheck(context.Background(), a.blob)
	case a.purpose == "owner-key" && a.version == 0:
		k, err := root.Unwrap(context.Background(), a.owner, a.subject, a.blob)
		if err != nil {
			return nil, err
		}
		return k.Bits(), nil
	}
	return nil, errors.New("an attempt that the package cannot make")
}

func endOf(t *testing.T, err error) string {
	t.Helper()
	switch {
	case err == nil:
		return opens
	case errors.Is(err, seal.ErrTampered):
		return tampered
	case errors.Is(err, seal.ErrFormat):
		return format
	case errors.Is(err, seal.ErrOtherKey):
		return otherKey
	}
	t.Fatalf("an end that the format does not have: %v", err)
	return ""
}
