package api

import (
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/middleware"
	"github.com/keysake/keysake/internal/vault"
	"github.com/keysake/keysake/plaintext"
	"github.com/keysake/keysake/wire"
)

// maxForm is the size of the largest form: a token of 16 KiB, escaped, and the rest.
const maxForm = 64 << 10

// exchangeToken gives a credential for a token, as RFC 8693 has it. Its audience is the rule. Its
// errors are those of every operation, and not those of OAuth: one server has one envelope.
func exchangeToken(v *vault.Service) handler {
	return func(w http.ResponseWriter, r *request) error {
		form, err := readForm(r.Request)
		if err != nil {
			return err
		}
		in, err := parseExchange(form)
		if err != nil {
			return err
		}
		in.Client = middleware.From(r.Context()).Client
		key, token, err := v.Exchange(r.Context(), in)
		if err != nil {
			return err
		}
		scopes := texts(key.Scopes)
		writeJSON(w, http.StatusOK, wire.Exchanged{
			AccessToken: string(token.Reveal()), IssuedTokenType: wire.TokenTypeAccess,
			TokenType: "Bearer", Scope: strings.Join(scopes, " "),
			ExpiresIn: int64(key.ExpiresAt.Sub(key.CreatedAt) / time.Second),
		})
		return nil
	}
}

// readForm reads a form. What is there twice is refused, as OAuth demands: it is not for the server
// to guess which one was meant.
func readForm(r *http.Request) (map[string]string, error) {
	media, _, err := mime.ParseMediaType(strings.Join(r.Header.Values("Content-Type"), ", "))
	encoded := strings.Join(r.Header.Values("Content-Encoding"), "") != ""
	if err != nil || media != "application/x-www-form-urlencoded" || encoded {
		return nil, &problem{
			status: http.StatusUnsupportedMediaType,
			detail: "Send the body as Content-Type: application/x-www-form-urlencoded, not encoded",
		}
	}
	body, err := readBody(r)
	if err != nil {
		return nil, err
	}
	parsed, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, &problem{
			status: http.StatusBadRequest, detail: "The body is not a valid form",
			errors: []wire.FieldError{bodyError(wire.TypeJSON, "Must be a form")},
		}
	}
	form := map[string]string{}
	for name, values := range parsed {
		if len(values) > 1 {
			return nil, invalid(bodyError(wire.TypeValue, "Duplicate field", echoable(name)...))
		}
		form[name] = values[0]
	}
	return form, nil
}

// parseExchange makes the request of a form. Names that RFC 8693 does not have are ignored, as it
// demands.
func parseExchange(form map[string]string) (vault.ExchangeRequest, error) {
	var faults []wire.FieldError
	oneOf := func(name string, required bool, allowed ...string) {
		value, found := form[name]
		switch {
		case !found && required:
			faults = append(faults, bodyError(wire.TypeMissing, "Field required", name))
		case found && !slices.Contains(allowed, value):
			faults = append(faults, bodyError(wire.TypeEnum,
				"Must be "+strings.Join(allowed, " or "), name))
		}
	}
	oneOf("grant_type", true, wire.GrantTokenExchange)
	oneOf("subject_token_type", true, wire.TokenTypeJWT, wire.TokenTypeID)
	oneOf("requested_token_type", false, wire.TokenTypeAccess)
	for _, name := range []string{"actor_token", "actor_token_type", "resource"} {
		if _, found := form[name]; found {
			faults = append(faults, bodyError(wire.TypeExtra, "Is not supported", name))
		}
	}
	in := vault.ExchangeRequest{Token: plaintext.FromString(form["subject_token"])}
	if in.Token.Len() == 0 {
		faults = append(faults, bodyError(wire.TypeMissing, "Field required", "subject_token"))
	}
	var err error
	if in.Rule, err = uuid.Parse(form["audience"]); err != nil || len(form["audience"]) != 36 {
		faults = append(faults, bodyError(wire.TypeUUID, "Must be the id of a rule", "audience"))
	}
	if scope, found := form["scope"]; found {
		in.Scopes = append([]string{}, strings.Fields(scope)...)
	}
	if len(faults) > 0 {
		return in, invalid(faults...)
	}
	return in, nil
}
