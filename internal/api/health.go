package api

import (
	_ "embed" // for the contract
	"net/http"

	"github.com/keysake/keysake/internal/vault"
	"github.com/keysake/keysake/wire"
)

// Contract is openapi.yaml: the API, exactly. The server serves it and the tests hold the code
// against it.
//
//go:embed openapi.yaml
var Contract []byte

func health(w http.ResponseWriter, _ *http.Request, _ vault.Actor) error {
	writeJSON(w, http.StatusOK, wire.Health{Status: "ok"})
	return nil
}

func contract(w http.ResponseWriter, _ *http.Request, _ vault.Actor) error {
	w.Header().Set("Content-Type", "application/yaml") // RFC 9512
	_, _ = w.Write(Contract)                           // an error is the connection's
	return nil
}
