package api

import (
	"bytes"
	"compress/gzip"
	_ "embed" // for the contract
	"io"
	"sync"
)

// The program is smaller by 180 KB for it.
//
//go:generate gzip -9nkf openapi.yaml
//go:embed openapi.yaml.gz
var compressed []byte

// Contract returns openapi.yaml: the API, exactly. The server serves it and the tests hold the code
// against it. Nobody may change it.
//
//nolint:gochecknoglobals // it is made once, and nothing writes to it
var Contract = sync.OnceValue(func() []byte {
	r, err := gzip.NewReader(bytes.NewReader(compressed))
	if err != nil {
		panic(err) // it is a part of the program
	}
	text, err := io.ReadAll(r)
	if err != nil {
		panic(err)
	}
	return text
})
