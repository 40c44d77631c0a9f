package rootkey

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

const (
	defaultMount     = "transit"
	transitPrefix    = "vault:v" // of all that a transit engine encrypts
	maxTransitAnswer = 64 << 10
)

// transit is a key of a Vault or OpenBao transit engine, of which one HTTP call each encrypts and
// decrypts. It implements [seal.Service].
type transit struct {
	client    *http.Client
	engine    string // URL of the mounted engine
	key       string
	namespace string
	token     *tokenSource
}

// transitBody is both what is asked and what is answered.
type transitBody struct {
	Plaintext  []byte `json:"plaintext,omitempty"` // base64 in JSON
	Ciphertext string `json:"ciphertext,omitempty"`
}

// Encrypt implements [seal.Service].
func (t *transit) Encrypt(ctx context.Context, plain []byte) ([]byte, error) {
	out, err := t.call(ctx, "encrypt", transitBody{Plaintext: plain})
	if err != nil {
		return nil, err
	}
	if !strings.HasPrefix(out.Ciphertext, transitPrefix) { // another engine may be mounted there
		return nil, errBadResponse
	}
	return []byte(out.Ciphertext), nil
}

// Decrypt implements [seal.Service].
func (t *transit) Decrypt(ctx context.Context, sealed []byte) ([]byte, error) {
	out, err := t.call(ctx, "decrypt", transitBody{Ciphertext: string(sealed)})
	if err == nil && len(out.Plaintext) == 0 {
		err = errBadResponse
	}
	return out.Plaintext, err
}

// call calls an operation, and once more if the token was refused and there is another one by now.
func (t *transit) call(ctx context.Context, op string, in transitBody) (transitBody, error) {
	body, err := json.Marshal(in)
	if err != nil {
		return transitBody{}, err
	}
	defer clear(body)
	token, err := t.token.current()
	if err != nil {
		return transitBody{}, err
	}
	out, err := t.post(ctx, op, token, body)
	failed, ok := errors.AsType[*callError](err)
	if ok && failed.status == http.StatusForbidden {
		if next, changed := t.token.renewed(token); changed {
			return t.post(ctx, op, next, body)
		}
	}
	return out, err
}

func (t *transit) post(
	ctx context.Context, op, token string, body []byte,
) (transitBody, error) {
	url := t.engine + "/" + op + "/" + t.key
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return transitBody{}, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Vault-Request", "true") // an agent may demand it
	if token != "" {
		req.Header.Set("X-Vault-Token", token)
	}
	if t.namespace != "" {
		req.Header.Set("X-Vault-Namespace", t.namespace)
	}
	res, err := t.client.Do(req)
	if err != nil {
		return transitBody{}, err
	}
	defer res.Body.Close() //nolint:errcheck // it was read to its end, or is given up
	text, err := io.ReadAll(io.LimitReader(res.Body, maxTransitAnswer+1))
	defer clear(text)
	switch {
	case err != nil:
		return transitBody{}, err
	case res.StatusCode != http.StatusOK:
		return transitBody{}, transitRefusal(res.StatusCode, text)
	case len(text) > maxTransitAnswer:
		return transitBody{}, errBadResponse
	}
	var answer struct {
		Data transitBody `json:"data"`
	}
	if json.Unmarshal(text, &answer) != nil { // its error may quote the answer
		return transitBody{}, errBadResponse
	}
	return answer.Data, nil
}

func transitRefusal(status int, text []byte) error {
	failed := &callError{
		status: status,
		reason: fmt.Sprintf("status %d", status),
		again:  status >= http.StatusInternalServerError || status == http.StatusTooManyRequests,
	}
	var answer struct {
		Errors []string `json:"errors"`
	}
	if json.Unmarshal(text, &answer) == nil && len(answer.Errors) > 0 {
		failed.reason += ": " + strings.Join(answer.Errors, "; ")
	}
	if status >= http.StatusMultipleChoices && status < http.StatusBadRequest {
		failed.reason += ": it sends elsewhere, where the token is not sent: set VAULT_ADDR to that"
	}
	return failed
}
