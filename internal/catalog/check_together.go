package catalog

import "github.com/keysake/keysake/plaintext"

// checkTogether requires what can only be seen with formats compiled and entries side by side:
// every example has its own format before any other of its provider, none has a distinctive format
// of another provider, and enough of each stays hidden.
func checkTogether(entries []Entry, providers []provider, faults *[]error) {
	ids := make([]string, len(entries))
	for i, e := range entries {
		ids[i] = e.ID
		for _, f := range e.Fields {
			for _, described := range f.Formats {
				at := place{
					entry:  e.ID,
					faults: faults,
				}.in("fields[%s].formats[%s]", f.ID, described.ID)
				for _, example := range described.Examples {
					checkExample(at, described, example, providers[i], providers)
				}
			}
		}
	}
	distinctIDs(place{entry: "all entries", path: "id", faults: faults}, ids...)
}

func checkExample(at place, described Format, example string, own provider, all []provider) {
	at = at.in("examples")
	expanded, err := expand(example)
	if err != nil {
		at.fault("%v", err)
		return
	}
	key := []byte(expanded)
	switch f, ok := own.match(key, false); {
	case !ok:
		at.fault("%q has not the format", example)
	case f.id != described.ID:
		at.fault("%q has the format %q first", example, f.id)
	}
	for _, other := range all {
		if other.preset.ID == own.preset.ID {
			continue
		}
		if f, ok := other.match(key, true); ok {
			at.fault("%q has the distinctive format %q of %s, too", example, f.id, other.preset.ID)
		}
	}
	hidden := len(key) - described.Mask.Head - described.Mask.Tail
	at.require(
		hidden >= maskHidden,
		"the mask of the format would hide %d characters of %q; it must hide %d", hidden, example,
		maskHidden,
	)
	at.require(
		Mask(plaintext.New(key)) != maskMiddle, "%q is too short to show anything of", example,
	)
}
