package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"
)

//go:embed static
var static embed.FS

//go:embed templates
var templates embed.FS

// An asset is a file that never changes under its name, which has a part of its hash.
type asset struct {
	kind string
	body []byte
}

// assets are the files by their served names, and these by the names that they have here.
type assets struct {
	byName map[string]asset
	names  map[string]string
}

func loadAssets() assets {
	all := assets{map[string]asset{}, map[string]string{}}
	kinds := map[string]string{
		".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8",
		".svg": "image/svg+xml",
	}
	files, _ := fs.ReadDir(static, "static") // it is in the program
	for _, f := range files {
		body, _ := static.ReadFile("static/" + f.Name())
		sum := sha256.Sum256(body)
		base, ext := strings.TrimSuffix(f.Name(), path.Ext(f.Name())), path.Ext(f.Name())
		served := base + "." + hex.EncodeToString(sum[:6]) + ext
		all.byName[served] = asset{kinds[ext], body}
		all.names[f.Name()] = "/ui/static/" + served
	}
	return all
}

// path returns where a file is served. It panics for one that does not exist, which a template
// would name.
func (a assets) path(name string) string {
	served, found := a.names[name]
	if !found {
		panic("web: no asset " + name)
	}
	return served
}

func (s *site) asset(w http.ResponseWriter, r *request) error {
	file, found := s.assets.byName[r.PathValue("file")]
	if !found {
		return errNoPage
	}
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	w.Header().Set("Content-Type", file.kind)
	http.ServeContent(w, r.Request, "", time.Time{}, bytes.NewReader(file.body))
	return nil
}
