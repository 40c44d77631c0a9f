package api

import (
	"encoding/hex"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/vault"
	"github.com/keysake/keysake/wire"
)

// An encoder is an answer that writes its JSON itself, because reflection would take longer than
// all else that the API does: a secret and the list of secrets, and nothing else. The bytes are
// those of [json.Marshal].
type encoder interface{ appendTo(b []byte) []byte }

// appendTo appends a [wire.Secret].
func (s shownSecret) appendTo(b []byte) []byte { return appendSecret(b, (*vault.Secret)(&s)) }

// secretRoom is more than what most secrets take as JSON.
const secretRoom = 320

// appendTo appends a [wire.SecretList].
func (l secretList) appendTo(b []byte) []byte {
	b = slices.Grow(b, secretRoom*(len(l)+1))
	b = append(b, `{"secrets":[`...)
	for i := range l {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendSecret(b, &l[i])
	}
	b = append(b, `],"total":`...)
	return append(strconv.AppendInt(b, int64(len(l)), 10), '}')
}

func appendSecret(b []byte, s *vault.Secret) []byte {
	b = appendID(append(b, `{"id":"`...), s.ID)
	b = appendText(append(b, `","name":`...), s.Name)
	b = append(b, `,"provider":`...)
	if s.Provider == "" {
		b = append(b, "null"...)
	} else {
		b = appendText(b, s.Provider)
	}
	b = appendText(append(b, `,"masked_value":`...), s.Mask)
	b = append(b, `,"created_at":`...)
	created := len(b)
	b = wire.At(s.CreatedAt).AppendJSON(b)
	end := len(b)
	b = append(b, `,"updated_at":`...)
	if s.UpdatedAt.Equal(s.CreatedAt) { // most are
		b = append(b, b[created:end]...)
	} else {
		b = wire.At(s.UpdatedAt).AppendJSON(b)
	}
	return append(b, '}')
}

// appendID appends the form of RFC 9562, section 4.
func appendID(b []byte, id uuid.UUID) []byte {
	b = append(hex.AppendEncode(b, id[:4]), '-')
	b = append(hex.AppendEncode(b, id[4:6]), '-')
	b = append(hex.AppendEncode(b, id[6:8]), '-')
	b = append(hex.AppendEncode(b, id[8:10]), '-')
	return hex.AppendEncode(b, id[10:])
}

// appendText panics for what is not UTF-8, as [asJSON] does.
func appendText(b []byte, text string) []byte {
	b, err := jsontext.AppendQuote(b, text)
	if err != nil {
		panic(err)
	}
	return b
}
