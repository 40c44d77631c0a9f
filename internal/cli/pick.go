package cli

import "fmt"

// pick returns the item of a list that has an ID or, if none does, the one that has a name; of each
// item, describe says both. What an item is called, and the command that lists them, are for the
// errors: there is none, or the name is that of several.
func pick[T any](
	all []T, ref, what, command string, describe func(T) (id string, isNamed bool),
) (one T, err error) {
	var named []T
	for _, item := range all {
		id, isNamed := describe(item)
		if id == ref {
			return item, nil
		}
		if isNamed {
			named = append(named, item)
		}
	}
	switch len(named) {
	case 0:
		return one, fmt.Errorf(`no such %s: "keysake %s" shows yours`, what, command)
	case 1:
		return named[0], nil
	}
	return one, fmt.Errorf("%d %ss have this name: give the ID of one; "+
		`"keysake %s" shows them`, len(named), what, command)
}
