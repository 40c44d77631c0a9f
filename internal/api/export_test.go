package api

import (
	"net/http"

	"github.com/keysake/keysake/internal/vault"
)

// A Route is a line of the route table, for the tests outside.
type Route struct {
	Method, Path string
	Public       bool
}

// Routes returns the whole surface.
func Routes() (all []Route) {
	for _, rt := range routes(nil) {
		all = append(all, Route{rt.method, rt.path, rt.public})
	}
	return all
}

// NewWith returns an API that has one open operation, GET at path, and nothing else.
func NewWith(o Options, path string, answer func(http.ResponseWriter) error) *API {
	return newAPI(
		o,
		[]route{
			{
				method: http.MethodGet,
				path:   path,
				public: true,
				handle: func(w http.ResponseWriter, _ *http.Request, _ vault.Actor) error {
					return answer(w)
				},
			},
		},
	)
}
