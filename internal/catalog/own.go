package catalog

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
)

// What a folder of presets may have at most.
const (
	maxFiles = 200
	maxBytes = 64 << 10
)

// get is the only method of an operator's own checks.
const get = "GET"

// ReadFolder reads the presets of an operator, one file of JSON each, in the order of their names.
// A file is named as its preset is. [Catalog.With] checks them.
func ReadFolder(folder fs.FS) ([]Entry, error) {
	files, err := fs.ReadDir(folder, ".")
	if err != nil {
		return nil, err
	}
	if len(files) > maxFiles {
		return nil, fmt.Errorf("there are more than %d files", maxFiles)
	}
	var all []Entry
	for _, file := range files {
		e, err := readFile(folder, file.Name())
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file.Name(), err)
		}
		all = append(all, e)
	}
	return all, nil
}

func readFile(folder fs.FS, name string) (Entry, error) {
	id, isJSON := strings.CutSuffix(name, ".json")
	if !isJSON {
		return Entry{}, errors.New("the folder may have JSON files only, PROVIDER.json")
	}
	file, err := folder.Open(name)
	if err != nil {
		return Entry{}, err
	}
	defer file.Close() //nolint:errcheck // it was read only
	text, err := io.ReadAll(io.LimitReader(file, maxBytes+1))
	if err != nil {
		return Entry{}, err
	}
	if len(text) > maxBytes {
		return Entry{}, fmt.Errorf("it is larger than %d bytes", maxBytes)
	}
	e, err := DecodeEntry(text)
	if err == nil && e.ID != id {
		err = errors.New("id: must match the name of the file")
	}
	return e, err
}

// With returns a catalog with further entries, of the operator of a server, after its own. They are
// checked as the ones that are built in, but need no sources. Moreover a check only gets, hosts are
// named one by one, and no entry takes the variable of another's key.
func (c *Catalog) With(own []Entry) (*Catalog, error) {
	var faults []error
	var all []Entry
	taken := map[string]string{}
	for _, p := range c.providers {
		all = append(all, p.entry)
		taken[p.preset.EnvVarName] = p.preset.ID
	}
	for i, e := range own {
		at := location{entry: cmp.Or(e.ID, fmt.Sprintf("entry %d", i)), faults: &faults}
		checkEntry(at, e)
		for _, v := range e.Verify {
			at.in("verify[%s].request.method", v.ID).require(v.Request.Method == get,
				"must be GET: a check of your own changes nothing")
		}
		for j, a := range e.Attach {
			for _, host := range a.Hosts {
				at.in("attach[%d].hosts", j).require(!strings.HasPrefix(host, "*."),
					"%q: name each host, strangers may have others below it", host)
			}
		}
		name := newProvider(e).preset.EnvVarName
		at.in("fields").require(taken[name] == "",
			"the variable %s is that of %s", name, taken[name])
		taken[name] = cmp.Or(taken[name], e.ID)
	}
	all = slices.Concat(all, own)
	whole := build(all)
	checkAll(all, whole.providers, &faults)
	if len(faults) > 0 {
		return nil, fmt.Errorf("presets: %w", errors.Join(faults...))
	}
	return whole, nil
}
