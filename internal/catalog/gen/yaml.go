package main

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

// readEntry reads one entry, and refuses everything in the text that an entry cannot hold: an
// unknown field, a field in the wrong case, a second document, a key that comes twice.
func readEntry(text []byte) (catalog.Entry, error) {
	var document yaml.Node
	d := yaml.NewDecoder(bytes.NewReader(text))
	if err := d.Decode(&document); err != nil {
		return catalog.Entry{}, err
	}
	if err := d.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return catalog.Entry{}, errors.New("something follows the entry")
	}
	datesAreText(&document)
	var written any
	if err := document.Decode(&written); err != nil {
		return catalog.Entry{}, err
	}
	return toEntry(written)
}

// datesAreText keeps YAML from making a time of "checked: 2026-11-23".
func datesAreText(n *yaml.Node) {
	if n.ShortTag() == "!!timestamp" {
		n.SetString(n.Value)
	}
	for _, child := range n.Content {
		datesAreText(child)
	}
}

// toEntry goes by way of JSON, so that the names of fields are said once. encoding/json takes a
// field in any case; hence the entry is turned back, and must say what was written and nothing
// else.
func toEntry(written any) (catalog.Entry, error) {
	text, err := json.Marshal(written)
	if err != nil {
		return catalog.Entry{}, fmt.Errorf("a key is no text: %w", err)
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
		return catalog.Entry{}, errors.New("a field is not written as the schema has it")
	}
	return e, nil
}

// prune leaves out the fields that are zero, which an encoder may leave out as well. The items of a
// list all stay.
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
