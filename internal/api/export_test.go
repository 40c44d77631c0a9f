package api

import "net/http"

// A Route is a line of the route table, for the tests outside.
type Route struct {
	Method, Path string
	Public       bool
}

// Routes returns the whole surface.
func Routes() (all []Route) {
	for _, rt := range routes(nil, "") {
		open := rt.access == public || rt.access == byToken || rt.access == current
		all = append(all, Route{rt.method, rt.path, open})
	}
	return all
}

// NewWith returns an API that has one public operation, GET at path, and nothing else.
func NewWith(o Options, path string, answer func(http.ResponseWriter) error) http.Handler {
	handle := func(w http.ResponseWriter, _ *request) error { return answer(w) }
	return newAPI(o, []route{{method: "GET", path: path, access: public, handle: handle}})
}
