package probe

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/keysake/keysake/internal/catalog"
	"github.com/keysake/keysake/plaintext"
)

// request returns the request of a check with the key in it.
func (p *Prober) request(
	ctx context.Context, entry catalog.Entry, described catalog.Request, key plaintext.Value,
) (*http.Request, error) {
	inputs := entry.Inputs(key)
	body, mediaType, err := bodyOf(described, inputs)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(
		ctx, described.Method, catalog.Fill(described.URL, inputs), body,
	)
	if err != nil {
		return nil, fmt.Errorf("the check of %s has no valid address", entry.ID)
	}
	if mediaType != "" {
		request.Header.Set("Content-Type", mediaType)
	}
	request.Header.Set("Accept", "application/json")
	request.Header.Set("User-Agent", p.userAgent)
	for name, value := range described.Headers {
		value = strings.ReplaceAll(value, "{service_ua}", p.userAgent)
		request.Header.Set(name, catalog.Fill(value, inputs))
	}
	if described.Auth != "" {
		attach(request, entry.Auth[described.Auth], inputs)
	}
	return request, nil
}

// attach puts the key where a recipe says.
func attach(request *http.Request, recipe catalog.Recipe, inputs map[string]string) {
	switch recipe.In {
	case "header":
		request.Header.Set(recipe.Name, catalog.Fill(recipe.Value, inputs))
	case "basic":
		request.SetBasicAuth(
			catalog.Fill(recipe.Username, inputs), catalog.Fill(recipe.Password, inputs),
		)
	case "query":
		query := request.URL.Query()
		query.Set(recipe.Name, catalog.Fill(recipe.Value, inputs))
		request.URL.RawQuery = query.Encode()
	}
}

func bodyOf(
	described catalog.Request, inputs map[string]string,
) (body io.Reader, mediaType string, err error) {
	switch {
	case len(described.JSON) > 0:
		text, err := json.Marshal(filled(described.JSON, inputs))
		return bytes.NewReader(text), "application/json", err
	case len(described.Form) > 0:
		form := url.Values{}
		for name, value := range described.Form {
			form.Set(name, catalog.Fill(value, inputs))
		}
		return strings.NewReader(form.Encode()), "application/x-www-form-urlencoded", nil
	}
	return http.NoBody, "", nil
}

// filled returns a copy of a JSON value with the templates in its texts replaced.
func filled(value any, inputs map[string]string) any {
	switch v := value.(type) {
	case string:
		return catalog.Fill(v, inputs)
	case []any:
		items := make([]any, len(v))
		for i, item := range v {
			items[i] = filled(item, inputs)
		}
		return items
	case map[string]any:
		members := make(map[string]any, len(v))
		for name, member := range v {
			members[name] = filled(member, inputs)
		}
		return members
	}
	return value
}
