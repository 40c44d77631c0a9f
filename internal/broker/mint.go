package broker

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/keysake/keysake/internal/catalog"
)

// maxMint is how long an answer with a new credential may be.
const maxMint = 64 << 10

// mintOf returns what the catalog says of a new credential in the answer to a request.
func (f *flow) mintOf(method string) (catalog.Mint, bool) {
	for _, m := range f.match.attach.Mints {
		if m.Method == method && isEndpoint(f.target.plain, m.Path) {
			return m, true
		}
	}
	return catalog.Mint{}, false
}

// isDenied reports whether the catalog denies a request, because it gets or makes a credential that
// works without the broker. What one rule of an entry denies, no other lets pass: some paths come
// to another rule when they are spelled in another way.
func (m match) isDenied(method string, t target) bool {
	return slices.ContainsFunc(m.entry.Attach, func(a catalog.Attach) bool {
		return slices.ContainsFunc(a.Deny, func(d catalog.Endpoint) bool {
			return (d.Method == "" || d.Method == method) && isEndpoint(t.plain, d.Path)
		})
	})
}

// replaceMint puts a stand-in where an answer has a new credential. The broker takes it for the
// placeholder, and attaches the key itself.
func (f *flow) replaceMint(resp *http.Response, m catalog.Mint) *refusal {
	fault := &refusal{
		status: http.StatusBadGateway, rule: ruleAnswer,
		detail: "The provider's answer has a new credential where Keysake does not find it",
	}
	if encoding := resp.Header.Get("Content-Encoding"); strings.EqualFold(encoding, "gzip") {
		resp.Body = &gunzip{from: resp.Body}
		resp.Header.Del("Content-Encoding")
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxMint+1))
	_ = resp.Body.Close()
	var document any
	if err != nil || len(text) > maxMint || json.Unmarshal(text, &document) != nil {
		return fault
	}
	var minted []string
	for _, pointer := range m.JSON {
		minted = appendAt(minted, document, strings.Split(pointer, "/")[1:])
	}
	if len(minted) == 0 {
		return fault
	}
	document = replaceIn(document, minted, f.placeholder)
	text, err = json.Marshal(document)
	if err != nil {
		return fault
	}
	resp.Body = io.NopCloser(bytes.NewReader(text))
	resp.ContentLength = int64(len(text))
	resp.Header.Set("Content-Length", strconv.Itoa(len(text)))
	return nil
}

// appendAt appends the text at a pointer, if there is one.
func appendAt(all []string, document any, pointer []string) []string {
	if len(pointer) == 0 {
		if text, ok := document.(string); ok && text != "" {
			all = append(all, text)
		}
		return all
	}
	object, ok := document.(map[string]any)
	if !ok {
		return all
	}
	name := strings.NewReplacer("~1", "/", "~0", "~").Replace(pointer[0])
	return appendAt(all, object[name], pointer[1:])
}

// replaceIn puts stand-ins where a document has a minted text, which it may repeat.
func replaceIn(document any, minted []string, placeholder string) any {
	switch d := document.(type) {
	case map[string]any:
		for name, value := range d {
			d[name] = replaceIn(value, minted, placeholder)
		}
	case []any:
		for i, value := range d {
			d[i] = replaceIn(value, minted, placeholder)
		}
	case string:
		for _, text := range minted {
			if strings.Contains(d, text) {
				return strings.ReplaceAll(d, text, standIn(text, placeholder))
			}
		}
	}
	return document
}

// standIn returns a placeholder in the form of a credential. Programs read when a JWT ends, so it
// keeps all but its signature.
func standIn(credential, placeholder string) string {
	if strings.Count(credential, ".") == 2 {
		return credential[:strings.LastIndexByte(credential, '.')+1] + placeholder
	}
	return placeholder
}
