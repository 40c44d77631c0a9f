// Package presetfile reads the entries of the catalog as people write them: one YAML file for each
// provider.
package presetfile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

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
	asJSON, err := json.Marshal(written)
	if err != nil {
		return catalog.Entry{}, fmt.Errorf("a key is not a text: %w", err)
	}
	return catalog.DecodeEntry(asJSON)
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
