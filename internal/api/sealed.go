package api

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/keysake/keysake/bundle"
	"github.com/keysake/keysake/internal/identity"
	"github.com/keysake/keysake/internal/vault"
	"github.com/keysake/keysake/wire"
)

const sealedType = "application/keysake-sealed+json"

// getSealingKey answers with the keys to which requests may be sealed.
func getSealingKey(v *vault.Service) handler {
	return handleGet(func(*request) (wire.SealingKey, error) {
		keys, err := v.SealingKeys()
		if err != nil {
			return wire.SealingKey{}, err
		}
		out := wire.SealingKey{
			ID: keys[0].ID, Recipient: keys[0].Recipient.String(),
			Server: keys[0].Server.String(), ExpiresAt: keys[0].ExpiresAt.UTC(),
			Others: []wire.SealingAlt{},
		}
		for _, k := range keys[1:] {
			out.Others = append(out.Others,
				wire.SealingAlt{ID: k.ID, Recipient: k.Recipient.String()})
		}
		return out, nil
	})
}

// isSealed reports whether a header says that the body is sealed, even if it says it badly.
func isSealed(h http.Header) bool {
	media, _, _ := strings.Cut(strings.Join(h.Values("Content-Type"), ", "), ";")
	return strings.EqualFold(strings.TrimSpace(media), sealedType)
}

// sealedSize returns how large a sealed body can be whose content has at most so many bytes.
func sealedSize(content int64) int64 {
	const room = 2048 // for the members, the encapsulated key and the tag
	return (content+room)*4/3 + room
}

// An unsealer opens what was sealed to the key of an id.
type unsealer func(id string, r bundle.Request, sealed []byte) (vault.Unsealed, error)

// unseal puts the content of a sealed body in its place, and returns it: the caller wipes it, also
// if there is an error. What is wrong with the content is for the decoder of the route to say.
func (r *request) unseal(
	d decoder[wire.Sealed], open unsealer, limit int64,
) (content []byte, err error) {
	id, sealed, err := readSealed(d, r.Request)
	if err != nil {
		return nil, err
	}
	opened, err := open(id, boundTo(r.Request), sealed)
	switch {
	case errors.Is(err, vault.ErrSealingKey):
		return nil, errSealingKey
	case errors.Is(err, bundle.ErrOpen):
		return nil, errSealedOtherwise
	case err != nil:
		return nil, err
	case int64(len(opened.Body)) > limit:
		return opened.Body, errTooLarge(limit)
	}
	r.Request = r.WithContext(r.Context()) // a copy, whose header is its own
	r.Header = r.Header.Clone()
	r.Header.Set("Content-Type", "application/json")
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(opened.Body)), int64(len(opened.Body))
	r.once = append(r.once, vault.SealedKey(opened.Encapsulated, opened.Until))
	return opened.Body, nil
}

// readSealed returns what is sealed in a request, and the id of the key that opens it.
func readSealed(d decoder[wire.Sealed], r *http.Request) (id string, sealed []byte, err error) {
	if id, err = sealingKeyID(r.Header); err != nil {
		return "", nil, err
	}
	body, err := readBody(r)
	if err != nil {
		return "", nil, err
	}
	in, faults, err := d.decodeBody(body)
	if err != nil {
		return "", nil, err
	}
	sealed, err = base64.StdEncoding.Strict().DecodeString(in.Sealed)
	if err != nil {
		faults = append(faults, bodyError(wire.TypeValue, "Must be base64, with padding", "sealed"))
	}
	if len(faults) > 0 {
		return "", nil, invalid(faults[:min(len(faults), maxFaults)]...)
	}
	return id, sealed, nil
}

// boundTo returns what a sealed body must have been sealed for to count in this request.
func boundTo(r *http.Request) bundle.Request {
	target := r.URL.Path
	if r.URL.RawQuery != "" {
		target += "?" + r.URL.RawQuery
	}
	return bundle.Request{
		Method: r.Method, Target: target, Credential: identity.CredentialHash(r.Header),
	}
}

// sealingKeyID returns the id of the key in a media type that must have it and nothing else.
func sealingKeyID(h http.Header) (string, error) {
	media, params, err := mime.ParseMediaType(strings.Join(h.Values("Content-Type"), ", "))
	encoded := strings.Join(h.Values("Content-Encoding"), "") != ""
	if err != nil || media != sealedType || encoded || len(params) > 1 {
		return "", &problem{
			status: http.StatusUnsupportedMediaType,
			detail: "Send a sealed body as Content-Type: " + sealedType + "; key=ID, not encoded",
		}
	}
	return params["key"], nil
}

var errSealingKey = invalid(wire.FieldError{
	Loc:  []any{"header", "Content-Type"},
	Msg:  "This sealing key is not in use: get the current one from /api/v1/sealing-key",
	Type: wire.TypeSealingKey,
})

var errSealedOtherwise = invalid(bodyError(wire.TypeValue,
	"Does not open: it was sealed for another method, path or API key, or was changed", "sealed"))
