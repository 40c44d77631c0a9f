package seal_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"

	"github.com/keysake/keysake/internal/seal"
)

// A holder has keys in unexported fields, for which fmt calls no methods.
type holder struct {
	Root   seal.RootKey
	Owner  seal.OwnerKey
	root   seal.RootKey
	owner  seal.OwnerKey
	roots  []seal.RootKey
	byName map[string]seal.OwnerKey
	ptr    *seal.RootKey
	err    error
}

func TestNothingPrintsAKey(t *testing.T) {
	root, owner, instance := newRootKey(t), newOwnerKey(t), newInstanceKey(t)
	bits := append(instance.Bits(), seal.Bits(root), owner.Bits())
	forms := map[string]any{
		"an instance key":           instance,
		"a root key":                root,
		"an owner key":              owner,
		"a pointer to a root key":   &root,
		"a pointer to an owner key": &owner,
		"a holder": holder{
			Root:  root,
			Owner: owner,
			root:  root,
			owner: owner,
			roots: []seal.RootKey{root},
			byName: map[string]seal.OwnerKey{
				"k": owner,
			},
			ptr: &root,
			err: fmt.Errorf("failed with %v and %v", root, owner),
		},
	}
	for name, form := range forms {
		for _, verb := range []string{
			"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%o", "%b", "%p", "%T",
		} {
			assertNoKey(t, name+" with "+verb, fmt.Sprintf(verb, form), bits...)
		}
		printed, err := json.Marshal(form)
		assertNoKey(t, name+" as JSON", fmt.Sprint(string(printed), err), bits...)
		var text, js bytes.Buffer
		slog.New(slog.NewTextHandler(&text, nil)).Info("m", "a", form)
		slog.New(slog.NewJSONHandler(&js, nil)).Info("m", "a", form)
		assertNoKey(t, name+" in a log", text.String(), bits...)
		assertNoKey(t, name+" in a JSON log", js.String(), bits...)
	}
}

func assertNoKey(t *testing.T, where, printed string, keys ...[]byte) {
	t.Helper()
	for _, bits := range keys {
		if shows(printed, bits) {
			t.Errorf("%s shows a part of a key", where)
		}
	}
}

// shows looks for every run of 6 bytes of the key, in each form that printers have for bytes.
func shows(printed string, bits []byte) bool {
	for from := range len(bits) - 6 {
		part := bits[from : from+6]
		inner := func(verb, cut string) string { return strings.Trim(fmt.Sprintf(verb, part), cut) }
		for _, form := range []string{
			inner("%s", ""), inner("%x", ""), inner("%X", ""), inner("%d", "[]"), inner("%o", "[]"),
			inner("%b", "[]"), inner("%q", `"`),
			strings.TrimSuffix(inner("%#v", ""), "}")[len("[]byte{"):],
			base64.StdEncoding.EncodeToString(part), base64.URLEncoding.EncodeToString(part),
		} {
			if strings.Contains(printed, form) {
				return true
			}
		}
	}
	return false
}

func TestTheSearchForKeysWouldFindOne(t *testing.T) {
	bits := random(32)
	for _, verb := range []string{"%s", "%v", "%x", "%X", "%d", "%o", "%b", "%#v", "%q"} {
		if !shows(fmt.Sprintf("{"+verb+"}", bits), bits) {
			t.Errorf("it does not with %s", verb)
		}
	}
	if js, err := json.Marshal(bits); err != nil || !shows(string(js), bits) {
		t.Errorf("it does not in JSON (%v)", err)
	}
}

func TestReflectionFindsNoKeyBits(t *testing.T) {
	for _, typ := range []reflect.Type{
		reflect.TypeFor[seal.LocalRootKey](), reflect.TypeFor[seal.OwnerKey](),
		reflect.TypeFor[seal.InstanceKey](),
	} {
		assertNoBytes(t, typ, typ.String())
	}
}

// assertNoBytes allows bytes only in the id. Everything else must be a function, into which
// reflection cannot look.
func assertNoBytes(t *testing.T, typ reflect.Type, path string) {
	t.Helper()
	if typ.Kind() == reflect.Struct {
		for f := range typ.Fields() {
			assertNoBytes(t, f.Type, path+"."+f.Name)
		}
	} else if typ.Kind() != reflect.Func && !strings.HasSuffix(path, ".id") {
		t.Errorf("%s is a %s that printers can walk", path, typ)
	}
}

func TestARefusalToUnwrapAKeyShowsNothingOfIt(t *testing.T) {
	root := newRootKey(t)
	_, err := root.Unwrap(t.Context(), newID(t), newID(t), seal.Bits(root))
	assertNoKey(t, "the error", fmt.Sprint(err), seal.Bits(root))
}
