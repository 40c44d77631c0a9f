package catalog

import "github.com/keysake/keysake/plaintext"

// checkAll checks the examples of all entries with the compiled formats: each must match its own
// format before any other of its provider, and no distinct format of another provider, and a mask
// must hide enough of it.
func checkAll(entries []Entry, providers []provider, faults *[]error) {
	ids := make([]string, len(entries))
	for i, e := range entries {
		ids[i] = e.ID
		for _, f := range e.Fields {
			for _, described := range f.Formats {
				at := location{entry: e.ID, faults: faults}.
					in("fields[%s].formats[%s]", f.ID, described.ID)
				for _, example := range described.Examples {
					checkExample(at, described, example, providers[i], providers)
				}
			}
		}
	}
	distinctIDs(location{entry: "all entries", path: "id", faults: faults}, ids...)
}

func checkExample(at location, described Format, example string, own provider, all []provider) {
	at = at.in("examples")
	expanded, err := expand(example)
	if err != nil {
		at.report("%v", err)
		return
	}
	key := []byte(expanded)
	switch f, ok := own.match(key, false); {
	case !ok:
		at.report("%q does not match the format", example)
	case f.id != described.ID:
		at.report("%q matches the format %q first", example, f.id)
	}
	for _, other := range all {
		if other.preset.ID == own.preset.ID {
			continue
		}
		if f, ok := other.match(key, true); ok {
			at.report("%q also matches the distinct format %q of %s",
				example, f.id, other.preset.ID)
		}
	}
	hidden := len(key) - described.Mask.Head - described.Mask.Tail
	at.require(hidden >= maskHidden,
		"the mask of the format would hide %d characters of %q, but must hide %d",
		hidden, example, maskHidden)
	at.require(Mask(plaintext.New(key)) != maskMiddle, "%q is too short for a mask", example)
}
