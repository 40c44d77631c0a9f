package api

import (
	"net/http"
	"regexp"
	"strings"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/vault"
	"github.com/keysake/keysake/wire"
)

// A tagged answer has an entity tag (RFC 9110, section 8.8.3).
type tagged interface{ entityTag() string }

func setEntityTag(w http.ResponseWriter, out any) {
	if t, ok := out.(tagged); ok {
		w.Header()["Etag"] = []string{t.entityTag()}
	}
}

// entityTags is a list in which elements may be empty (RFC 9110, section 5.6.1).
var (
	entityTag  = regexp.MustCompile(`(W/)?"[!#-~]*"`)
	entityTags = regexp.MustCompile(`^([ \t]*(` + entityTag.String() + `)?[ \t]*(,|$))+$`)
)

// conditional returns the id of the secret in the path, and the tags of which If-Match wants one:
// none if whatever there is will do. A weak tag is that of no state (RFC 9110, section 13.1.1).
func (r *request) conditional() (id uuid.UUID, anyOf []vault.Tag, err error) {
	if id, err = r.pathID("secret_id"); err != nil {
		return id, nil, err
	}
	values := r.Header.Values("If-Match")
	list := strings.Trim(strings.Join(values, ","), " \t")
	if len(values) == 0 || list == "*" {
		return id, nil, nil
	}
	found := entityTag.FindAllString(list, -1)
	if len(found) == 0 || !entityTags.MatchString(list) {
		return id, nil, invalid(wire.FieldError{
			Loc: []any{"header", "If-Match"}, Type: wire.TypePattern,
			Msg: "Must be * or entity tags in double quotes, separated by commas",
		})
	}
	for _, tag := range found {
		anyOf = append(anyOf, vault.Tag(strings.Trim(tag, `"`)))
	}
	return id, anyOf, nil
}
