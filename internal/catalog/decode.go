package catalog

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"reflect"
)

// DecodeEntry reads an entry that is written as JSON. It refuses what an entry cannot hold: unknown
// fields, fields in the wrong case, duplicate ones, and data after it. [Parse] checks the rest.
//
// encoding/json accepts names in any case, so the entry is converted back and compared.
func DecodeEntry(text []byte) (Entry, error) {
	var e Entry
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&e); err != nil {
		return Entry{}, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Entry{}, errors.New("there is data after the entry")
	}
	if err := checkNames(json.NewDecoder(bytes.NewReader(text))); err != nil {
		return Entry{}, err
	}
	back, err := json.Marshal(e)
	if err != nil {
		return Entry{}, err
	}
	var was, is any
	if err := errors.Join(json.Unmarshal(text, &was), json.Unmarshal(back, &is)); err != nil {
		return Entry{}, err
	}
	if !reflect.DeepEqual(prune(was), prune(is)) {
		return Entry{}, errors.New("the name of a field has the wrong case")
	}
	return e, nil
}

// checkNames refuses an object that has a name twice. It reads one value.
func checkNames(d *json.Decoder) error {
	open, err := d.Token()
	if err != nil || open != json.Delim('{') && open != json.Delim('[') {
		return err
	}
	seen := map[any]bool{}
	for d.More() {
		if open == json.Delim('{') {
			name, err := d.Token()
			if err != nil {
				return err
			}
			if seen[name] {
				return errors.New("a field is there twice")
			}
			seen[name] = true
		}
		if err := checkNames(d); err != nil {
			return err
		}
	}
	_, err = d.Token()
	return err
}

// prune removes the fields that are zero, which an encoder may omit, but no item of a list.
func prune(value any) any {
	switch v := value.(type) {
	case map[string]any:
		for name, inner := range v {
			if v[name] = prune(inner); isZero(v[name]) {
				delete(v, name)
			}
		}
	case []any:
		for i := range v {
			v[i] = prune(v[i])
		}
	}
	return value
}

func isZero(value any) bool {
	switch v := value.(type) {
	case map[string]any:
		return len(v) == 0
	case []any:
		return len(v) == 0
	}
	return value == nil || reflect.ValueOf(value).IsZero()
}
