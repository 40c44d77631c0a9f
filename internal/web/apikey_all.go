package web

import (
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/vault"
)

// oldKey is how old a key is that should be replaced.
const oldKey = 90 * 24 * time.Hour

// listAllKeys shows the API keys of all users, the oldest first.
func (s *site) listAllKeys(w http.ResponseWriter, r *request) error {
	query := r.URL.Query()
	f := vault.KeyFilter{Unused: query.Has("unused"), Endless: query.Has("endless")}
	if query.Has("old") {
		f.OlderThan = oldKey
	}
	filtered := f != vault.KeyFilter{}
	f.After, _ = uuid.Parse(query.Get("after"))
	keys, next, err := s.Vault.ListAllAPIKeys(r.Context(), r.session.Actor, f)
	if err != nil {
		return err
	}
	newer := ""
	if next != uuid.Nil {
		query.Set("after", next.String())
		newer = "/ui/all-keys?" + query.Encode()
	}
	return s.show(w, r, http.StatusOK, "all_keys", view{
		Title: "Keys by age", Here: "all-keys", Data: map[string]any{
			"Keys": keys, "Newer": newer, "Filtered": filtered, "Unused": f.Unused,
			"Endless": f.Endless, "Old": f.OlderThan > 0,
		},
	})
}
