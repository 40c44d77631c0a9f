package crash_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/keysake/keysake/plaintext"
	"github.com/keysake/keysake/wire"
)

// A request is sent as it stands, however wrong.
type request struct {
	method, path string
	key          plaintext.Value
	header       map[string]string
	body         string
}

// refusal stands for every status from 400 to 499.
const refusal = 400

// send sends a request, wants an answer of a status, and keeps all of the answer.
func send(t *testing.T, p *process, answers io.Writer, what string, want int, in request) {
	t.Helper()
	req, err := http.NewRequestWithContext(
		t.Context(), in.method, p.url+in.path, strings.NewReader(in.body),
	)
	if err != nil {
		t.Fatalf("%s: the request cannot be sent", what) // the error may quote it
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+string(in.key.Reveal()))
	for name, value := range in.header {
		req.Header.Set(name, value)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatalf("%s: there was no answer", what)
	}
	defer res.Body.Close()
	if res.StatusCode != want && (want != refusal || res.StatusCode < 400 || res.StatusCode > 499) {
		t.Errorf("%s: got %d, want %d", what, res.StatusCode, want)
	}
	var all bytes.Buffer
	if err := res.Write(&all); err != nil {
		t.Error(err)
	}
	if _, err := answers.Write(all.Bytes()); err != nil {
		t.Error(err)
	}
}

const (
	create = "/api/v1/user/secrets"
	preset = "/api/v1/user/secrets/preset"
	keys   = "/api/v1/user/api-keys"
)

// quoted writes a value as JSON.
func quoted(value string) string {
	b, err := json.Marshal(value)
	if err != nil {
		panic("a canary is not a text")
	}
	return string(b)
}

// badBodies are bodies that are refused, with a value in each.
func badBodies() map[string]func(v string) request {
	post := func(path string, body func(v string) string) func(string) request {
		return func(v string) request {
			return request{method: http.MethodPost, path: path, body: body(v)}
		}
	}
	around := func(path, before, after string) func(string) request {
		return post(path, func(v string) string { return before + quoted(v) + after })
	}
	return map[string]func(string) request{
		"a misspelt field":    around(create, `{"name":"A","vaule":`, `}`),
		"a field in capitals": around(create, `{"name":"A","Value":`, `}`),
		"a value for a field": around(create, `{"name":"A","value":"x",`, `:1}`),
		"a field twice": post(
			create,
			func(v string) string {
				return `{"name":"A","value":` + quoted(v) + `,"value":` + quoted(v) + `}`
			},
		),
		"a list":       around(create, `{"name":"A","value":[`, `]}`),
		"an object":    around(create, `{"name":"A","value":{"inside":`, `}}`),
		"a text alone": around(create, ``, ``),
		"a value for a name": post(
			create,
			func(v string) string { return `{"value":"x","name":` + quoted(v+"-") + `}` },
		),
		"a value for a provider": around(create, `{"name":"A","value":"x","provider":`, `}`),
		"a value for a preset":   around(preset, `{"value":"x","provider":`, `}`),
		"a body that breaks off": post(
			create,
			func(v string) string {
				return strings.TrimSuffix(`{"name":"A","value":`+quoted(v), `"`)
			},
		),
		"more after the body": around(create, `{"name":"A","value":"x"} `, ``),
		"no JSON at all":      post(create, func(v string) string { return "value=" + v }),
		"broken UTF-8": post(
			create,
			func(v string) string {
				return `{"name":"A","value":"` + "\xff" + strings.Trim(quoted(v), `"`) + `"}`
			},
		),
		"half of a surrogate": post(
			create,
			func(v string) string {
				return `{"name":"A","value":"\ud800` + strings.Trim(quoted(v), `"`) + `"}`
			},
		),
		"a NUL": post(
			create,
			func(v string) string { return `{"name":"A","value":` + quoted(v+"\x00") + `}` },
		),
		"a value that is too long": post(create, func(v string) string {
			return `{"name":"A","value":` + quoted(strings.Repeat(v, 70_000/len(v)+1)) + `}`
		}),
		"a body that is too long": post(create, func(v string) string {
			return `{"name":"A","value":` + quoted(strings.Repeat(v, 300_000/len(v)+1)) + `}`
		}),
		"deep nesting":         around(create, `{"name":"A","value":[[[[[[[[[[[[`, `]]]]]]]]]]]]}`),
		"a name that is taken": around(create, `{"name":"SECRET_4","value":`, `}`),
		"a bad paste": post(
			preset,
			func(v string) string { return `{"provider":"github","value":` + quoted(v+"\n") + `}` },
		),
		"a scope":              around(keys, `{"allowed_scopes":[`, `]}`),
		"an expiry":            around(keys, `{"expires_at":`, `}`),
		"a user's name":        around("/api/v1/admin/users", `{"username":`, `}`),
		"an unknown operation": around("/api/v1/nothing", `{"value":`, `}`),
	}
}

// badPlaces have a value where none belongs, outside of a body.
func badPlaces() map[string]func(v string) request {
	header := func(name, before string) func(string) request {
		return func(v string) request {
			v = strings.Map(func(r rune) rune {
				if r < ' ' {
					return -1
				}
				return r
			}, v)
			return request{
				method: http.MethodGet,
				path:   "/api/v1/nothing",
				header: map[string]string{name: before + v[:min(len(v), 2000)]},
			}
		}
	}
	with := func(method, path string) func(string) request {
		return func(v string) request {
			return request{method: method, path: path, body: `{"value":` + quoted(v) + `}`}
		}
	}
	return map[string]func(string) request{
		"the wrong method":  with(http.MethodPatch, create),
		"an unknown secret": with(http.MethodPut, create+"/01900000-0000-7000-8000-000000000000"),
		"the wrong media type": func(v string) request {
			return request{
				method: http.MethodPost,
				path:   create,
				body:   v,
				header: map[string]string{"Content-Type": "text/plain"},
			}
		},
		"an id": func(v string) request {
			return request{
				method: http.MethodGet, path: create + "/" + url.PathEscape(v[:min(len(v), 2000)]),
			}
		},
		"a path": func(v string) request {
			return request{
				method: http.MethodGet, path: "/api/v1/" + url.PathEscape(v[:min(len(v), 2000)]),
			}
		},
		"a query": func(v string) request {
			return request{
				method: http.MethodGet,
				path:   "/api/v1/nothing?value=" + url.QueryEscape(v[:min(len(v), 2000)]),
			}
		},
		"the API key":           header("Authorization", "Bearer "),
		"another scheme":        header("Authorization", "Basic "),
		"a second API key":      header("X-API-Key", ""),
		"the client's name":     header("User-Agent", ""),
		"a request id":          header("X-Request-Id", ""),
		"a forwarded address":   header("X-Forwarded-For", ""),
		"a cookie":              header("Cookie", "value="),
		"a referring page":      header("Referer", "https://example.org/"),
		"a header of their own": header("X-Value", ""),
	}
}

// sendBad sends requests that are refused, each with values of every kind.
func sendBad(t *testing.T, p *process, l *library, fresh func(string) string, answers io.Writer) {
	t.Helper()
	for _, all := range []map[string]func(string) request{badBodies(), badPlaces()} {
		for what, make := range all {
			for range 8 {
				in := make(fresh("a value in " + what))
				in.key = l.key
				send(t, p, answers, what, refusal, in)
			}
		}
	}
	value := plaintext.FromString(strings.Map(noSpace, fresh("the first value of a preset")))
	err := l.change(
		"OPENAI_API_KEY",
		state{values: []plaintext.Value{value}},
		func() (wire.Secret, error) {
			return p.client(l.key).CreateFromPreset(
				t.Context(), wire.CreateFromPreset{Provider: "openai", Value: value},
			)
		},
	)
	if err != nil {
		t.Error(err)
	}
	for range 8 {
		again := strings.Map(noSpace, fresh("the second value of a preset"))
		send(t, p, answers, "a preset that is taken", http.StatusConflict, request{
			method: http.MethodPost,
			path:   preset,
			key:    l.key,
			body:   `{"provider":"openai","value":` + quoted(again) + `}`,
		})
	}
}

// noSpace takes out what a preset's value may not have.
func noSpace(r rune) rune {
	if r <= ' ' {
		return -1
	}
	return r
}
