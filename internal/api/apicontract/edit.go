package apicontract

import (
	"encoding/json"
	"maps"
)

// edited returns base as JSON with one member set.
func edited(base map[string]any, name string, value any) []byte {
	changed := maps.Clone(base)
	changed[name] = value
	return encode(changed)
}

// without returns base without one member.
func without(base map[string]any, name string) map[string]any {
	changed := maps.Clone(base)
	delete(changed, name)
	return changed
}

func member(name string, value any) []byte {
	return append(append(encode(name), ':'), encode(value)...)
}

// encode never fails: what it is given came out of JSON, or is a literal of this package.
func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}
