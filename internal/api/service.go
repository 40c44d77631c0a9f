package api

import (
	"net/http"

	"github.com/keysake/keysake/wire"
)

func getHealth(w http.ResponseWriter, _ *request) error {
	writeJSON(w, http.StatusOK, wire.Health{Status: "ok"})
	return nil
}

func getOpenAPIDocument(w http.ResponseWriter, _ *request) error {
	w.Header().Set("Content-Type", "application/yaml") // RFC 9512
	_, _ = w.Write(Contract())                         // an error is the connection's
	return nil
}
