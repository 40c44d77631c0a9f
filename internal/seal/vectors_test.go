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
	"time"

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
	fmt.Fprintf(b, "# %s\nexpect: %s\npurpose: %s\nkey: %x\nkey-id: %s\nowner: %s\nsubject: %s\n",
		v.about, v.expect, v.purpose, v.key, v.keyID, v.owner, v.subject)
	if v.purpose == "value" || v.purpose == "mask" {
		fmt.Fprintf(b, "version: %d\nstamp: %x\n", v.version, v.stamp)
	}
	if v.purpose == "mask" {
		fmt.Fprintf(b, "name: %s\nprovider: %s\nsecret-created-at: %d\ncreated-at: %d\n",
			v.name, v.provider, v.secretMade, v.made)
	}
	fmt.Fprintf(b, "blob: %x\n", v.blob)
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
	for name, into := range map[string]*string{
		"expect": &v.expect, "purpose": &v.purpose, "name": &v.name, "provider": &v.provider,
	} {
		take(name, func(s string) error { *into = s; return nil })
	}
	var stamp []byte
	for name, into := range map[string]*[]byte{
		"key": &v.key, "blob": &v.blob, "plaintext": &v.plain, "stamp": &stamp,
	} {
		take(name, func(s string) (err error) { *into, err = hex.DecodeString(s); return err })
	}
	for name, into := range map[string]*uuid.UUID{
		"key-id": &v.keyID, "owner": &v.owner, "subject": &v.subject,
	} {
		take(name, func(s string) (err error) { *into, err = uuid.Parse(s); return err })
	}
	copy(v.stamp[:], stamp)
	if version, found := fields["version"]; found {
		take("version", func(string) (err error) {
			v.version, err = strconv.ParseUint(version, 10, 64)
			return err
		})
	}
	for name, into := range map[string]*int64{
		"secret-created-at": &v.secretMade, "created-at": &v.made,
	} {
		if _, found := fields[name]; found {
			take(name, func(s string) (err error) {
				*into, err = strconv.ParseInt(s, 10, 64)
				return err
			})
		}
	}
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
	for _, purpose := range strings.Fields("value mask owner-key instance-key root-key-check") {
		for _, end := range []string{opens, tampered, format, otherKey} {
			if !found[purpose+" "+end] {
				t.Errorf("there is no vector of a %s that ends with %q", purpose, end)
			}
		}
	}
}

// open opens the blob with the package.
func (a attempt) open() ([]byte, error) {
	at := seal.Binding{
		User: a.owner, Secret: a.subject, Version: a.version, Stamp: a.stamp,
		Name: a.name, Provider: a.provider,
		SecretCreatedAt: time.UnixMicro(a.secretMade), CreatedAt: time.UnixMicro(a.made),
	}
	if a.purpose == "value" || a.purpose == "mask" {
		k, err := seal.OwnerKeyOf(a.key)
		if err != nil {
			return nil, err
		}
		if k.ID() != a.keyID {
			return nil, errors.New("the owner key has another id")
		}
		if a.purpose == "value" {
			v, err := k.OpenValue(at, a.blob)
			return v.Reveal(), err
		}
		mask, err := k.OpenMask(at, a.blob)
		return []byte(mask), err
	}
	root, err := seal.NewRootKey(a.key)
	if err != nil {
		return nil, err
	}
	switch {
	case root.ID() != a.keyID:
		return nil, errors.New("the root key has another id")
	case a.purpose == "root-key-check" && a.owner == uuid.Nil && a.subject == a.keyID:
		return nil, root.OpenCheck(context.Background(), a.blob)
	case a.purpose == "owner-key":
		k, err := root.Unwrap(context.Background(), a.owner, a.subject, a.blob)
		if err != nil {
			return nil, err
		}
		return k.Bits(), nil
	case a.purpose == "instance-key" && a.owner == uuid.Nil:
		k, err := root.UnwrapInstance(context.Background(), a.subject, a.blob)
		if err != nil {
			return nil, err
		}
		return k.Bits()[0], nil
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
