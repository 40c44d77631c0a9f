package broker

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
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
	if !replaceAt(document, strings.Split(m.JSON, "/")[1:], f.placeholder) {
		return fault
	}
	text, err = json.Marshal(document)
	if err != nil {
		return fault
	}
	resp.Body = io.NopCloser(bytes.NewReader(text))
	resp.ContentLength = int64(len(text))
	resp.Header.Set("Content-Length", strconv.Itoa(len(text)))
	return nil
}

// replaceAt replaces the text at a pointer by a stand-in.
func replaceAt(document any, pointer []string, placeholder string) bool {
	object, ok := document.(map[string]any)
	if !ok || len(pointer) == 0 {
		return false
	}
	name := strings.NewReplacer("~1", "/", "~0", "~").Replace(pointer[0])
	if len(pointer) > 1 {
		return replaceAt(object[name], pointer[1:], placeholder)
	}
	credential, ok := object[name].(string)
	if ok {
		object[name] = standIn(credential, placeholder)
	}
	return ok
}

// standIn returns a placeholder in the form of a credential. Programs read when a JWT ends, so it
// keeps all but its signature.
func standIn(credential, placeholder string) string {
	if strings.Count(credential, ".") == 2 {
		return credential[:strings.LastIndexByte(credential, '.')+1] + placeholder
	}
	return placeholder
}
