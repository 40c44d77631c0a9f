package apicontract

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// A tree is a YAML document as JSON values, which remembers in what order the keys of each mapping
// stood.
type tree struct {
	root  any
	order map[string][]string // by pointer
}

// A place is a value in a tree and the JSON pointer to it. The value is nil where there is nothing.
type place struct {
	pointer string
	value   any
}

func parse(doc []byte) (tree, error) {
	var n yaml.Node
	if err := yaml.Unmarshal(doc, &n); err != nil {
		return tree{}, err
	}
	if n.Kind != yaml.DocumentNode || len(n.Content) != 1 {
		return tree{}, fmt.Errorf("the document is empty")
	}
	t := tree{order: map[string][]string{}}
	var err error
	t.root, err = t.convert(n.Content[0], "")
	return t, err
}

// convert turns a node into what encoding/json would have made of it. YAML that JSON does not have
// is an error.
func (t tree) convert(n *yaml.Node, pointer string) (any, error) {
	switch n.Kind { //nolint:exhaustive // what is not here is not JSON
	case yaml.MappingNode:
		return t.convertMapping(n, pointer)
	case yaml.SequenceNode:
		list := make([]any, len(n.Content))
		for i, item := range n.Content {
			var err error
			if list[i], err = t.convert(item, pointer+"/"+strconv.Itoa(i)); err != nil {
				return nil, err
			}
		}
		return list, nil
	case yaml.ScalarNode:
		return convertScalar(n)
	}
	return nil, fmt.Errorf(
		"line %d: no anchors and aliases, please: not every reader follows them",
		n.Line,
	)
}

func (t tree) convertMapping(n *yaml.Node, pointer string) (any, error) {
	object := map[string]any{}
	for i := 0; i < len(n.Content); i += 2 {
		key := n.Content[i]
		if key.Tag != "!!str" {
			return nil, fmt.Errorf(
				"line %d: the key %s must be a string: quote it",
				key.Line,
				key.Value,
			)
		}
		if _, twice := object[key.Value]; twice {
			return nil, fmt.Errorf("line %d: the key %s is there twice", key.Line, key.Value)
		}
		value, err := t.convert(n.Content[i+1], pointer+"/"+escape(key.Value))
		if err != nil {
			return nil, err
		}
		object[key.Value] = value
		t.order[pointer] = append(t.order[pointer], key.Value)
	}
	return object, nil
}

func convertScalar(n *yaml.Node) (v any, err error) {
	switch n.Tag {
	case "!!str", "!!int", "!!float", "!!bool", "!!null":
		err = n.Decode(&v)
		return v, err
	}
	return nil, fmt.Errorf("line %d: JSON has no %s: quote it", n.Line, n.Tag)
}

// at returns the place that the keys lead to from the root, with references followed.
func (t tree) at(keys ...string) place {
	p := place{value: t.root}
	for _, key := range keys {
		p = t.child(p, key)
	}
	return p
}

// child returns what stands under key, with references followed. A reference that leads nowhere has
// no value.
func (t tree) child(p place, key string) place {
	object, _ := p.value.(map[string]any)
	return t.follow(place{p.pointer + "/" + escape(key), object[key]})
}

// follow returns the place that p refers to, p itself where it is no reference.
func (t tree) follow(p place) place {
	for range 10 {
		object, _ := p.value.(map[string]any)
		ref, ok := object["$ref"].(string)
		if !ok || len(object) > 1 {
			return p
		}
		p = t.lookup(strings.TrimPrefix(ref, "#"))
	}
	return place{pointer: p.pointer}
}

func (t tree) lookup(pointer string) place {
	v := t.root
	for token := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		object, _ := v.(map[string]any)
		v = object[strings.NewReplacer("~1", "/", "~0", "~").Replace(token)]
	}
	return place{pointer, v}
}

// keys returns the keys of the mapping at p in the order of the document.
func (t tree) keys(p place) []string { return t.order[p.pointer] }

// has tells whether there is something under key.
func (p place) has(key string) bool {
	object, _ := p.value.(map[string]any)
	_, found := object[key]
	return found
}

// text returns the string under key, empty where there is none.
func (p place) text(key string) string {
	object, _ := p.value.(map[string]any)
	s, _ := object[key].(string)
	return s
}

// list returns the list under key, nil where there is none.
func (p place) list(key string) []any {
	object, _ := p.value.(map[string]any)
	l, _ := object[key].([]any)
	return l
}

// fragment returns the pointer as it stands in a URL.
func (p place) fragment() string {
	return strings.ReplaceAll(url.PathEscape(p.pointer), "%2F", "/")
}

func escape(key string) string { return strings.NewReplacer("~", "~0", "/", "~1").Replace(key) }

// item returns the i-th member of the list at p, with references followed.
func (t tree) item(p place, i int) place {
	list, _ := p.value.([]any)
	return t.follow(place{p.pointer + "/" + strconv.Itoa(i), list[i]})
}
