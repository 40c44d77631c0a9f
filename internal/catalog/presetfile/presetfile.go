// Package presetfile reads the entries of the catalog as people write them: one YAML file for each
// provider.
package presetfile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"

	"go.yaml.in/yaml/v3"

	"github.com/keysake/keysake/internal/catalog"
)

// Read reads one entry. It refuses what an entry cannot hold: unknown fields, fields in the wrong
// case, duplicate keys, and a second document. [catalog.Parse] checks the rest.
func Read(text []byte) (catalog.Entry, error) {
	var document yaml.Node
	d := yaml.NewDecoder(bytes.NewReader(text))
	if err := d.Decode(&document); err != nil {
		return catalog.Entry{}, err
	}
	if err := d.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return catalog.Entry{}, errors.New("there is data after the entry")
	}
	datesAreText(&document)
	var written any
	if err := document.Decode(&written); err != nil {
		return catalog.Entry{}, err
	}
	return toEntry(written)
}

// datesAreText keeps YAML from parsing "checked: 2026-11-23" as a time.
func datesAreText(n *yaml.Node) {
	if n.ShortTag() == "!!timestamp" {
		n.SetString(n.Value)
	}
	for _, child := range n.Content {
		datesAreText(child)
	}
}

// toEntry converts by way of JSON, so that the names of fields stand in one tag. encoding/json
// accepts names in any case, so the entry is converted back and compared.
func toEntry(written any) (catalog.Entry, error) {
	text, err := json.Marshal(written)
	if err != nil {
		return catalog.Entry{}, fmt.Errorf("a key is not a text: %w", err)
	}
	var e catalog.Entry
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&e); err != nil {
		return catalog.Entry{}, err
	}
	back, err := json.Marshal(e)
	if err != nil {
		return catalog.Entry{}, err
	}
	var was, is any
	if err := errors.Join(json.Unmarshal(text, &was), json.Unmarshal(back, &is)); err != nil {
		return catalog.Entry{}, err
	}
	if !reflect.DeepEqual(prune(was), prune(is)) {
		return catalog.Entry{}, errors.New("the name of a field has the wrong case")
	}
	return e, nil
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
