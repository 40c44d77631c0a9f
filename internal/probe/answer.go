package probe

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
)

// An answer is what a provider answered.
type answer struct {
	status int
	header http.Header
	body   []byte
	json   any // nil if the body is no JSON object or array
}

func newAnswer(status int, header http.Header, body []byte) answer {
	a := answer{status: status, header: header, body: body}
	if len(body) > maxBody {
		a.body = body[:maxBody]
		a.json = beginning(a.body)
		return a
	}
	var parsed any
	if json.Unmarshal(body, &parsed) != nil {
		return a
	}
	switch parsed.(type) {
	case map[string]any, []any:
		a.json = parsed
	}
	return a
}

// A cut stands for a member of which an answer was read in part.
type cut struct{}

// beginning returns the members of a JSON object that is longer than what was read of it.
func beginning(body []byte) any {
	d := json.NewDecoder(bytes.NewReader(body))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return nil
	}
	members := map[string]any{}
	for {
		name, err := d.Token()
		text, isName := name.(string)
		if err != nil || !isName {
			return members
		}
		var value any
		if d.Decode(&value) != nil {
			members[text] = cut{}
			return members
		}
		members[text] = value
	}
}

// at returns the part of the body that a JSON pointer names, RFC 6901.
func (a answer) at(pointer string) (value any, found bool) {
	value = a.json
	if value == nil || !strings.HasPrefix(pointer, "/") {
		return nil, false
	}
	unescape := strings.NewReplacer("~1", "/", "~0", "~")
	for part := range strings.SplitSeq(pointer[1:], "/") {
		switch inside := value.(type) {
		case map[string]any:
			if value, found = inside[unescape.Replace(part)]; !found {
				return nil, false
			}
		case []any:
			i, err := strconv.Atoi(part)
			if err != nil || i < 0 || i >= len(inside) {
				return nil, false
			}
			value = inside[i]
		default:
			return nil, false
		}
	}
	return value, true
}
