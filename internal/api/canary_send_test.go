package api_test

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/keysake/keysake/internal/api/apicontract"
	"github.com/keysake/keysake/plaintext"
)

// goodValues sends canaries where they are taken.
func (s *site) goodValues(t *testing.T, birds *aviary) {
	t.Helper()
	me := s.person(t, allScopes...)
	preset := members{"provider": "openai", "value": birds.rich("as the value of a preset")}
	made := s.do(t, post(presetPath, me.key, encode(t, preset))).want(t, 201)
	preset["value"] = birds.rich("as a value whose name is taken")
	s.do(t, post(presetPath, me.key, encode(t, preset))).refused(t, 409)
	for range 3 {
		update := members{"value": birds.rich("as a new value")}
		s.do(t, put(made.header.Get("Location"), me.key, encode(t, update))).want(t, 200)
	}
	custom := s.secret(t, me.key, "CUSTOM", birds.rich("as a custom value")+" \n\t")
	imports := func(name, how string) answer {
		one := members{"name": name, "value": birds.rich(how)}
		return s.do(t, post(secretsPath+"/import", me.key, encode(t, members{
			"secrets": []members{one},
		})))
	}
	imports("IMPORTED", "as an imported value").want(t, 200)
	imports("IMPORTED", "as an imported value whose name is taken").refused(t, 409,
		"body.secrets.0.name value_error")
	imports(birds.rich("as the name of an import"), "beside it").refused(t, 422,
		"body.secrets.0.name string_pattern_mismatch")
	long := s.secret(t, me.key, "LONG", strings.Repeat(birds.letOut("as a long value"), 1000))
	for _, path := range []string{
		secretsPath, secretsPath + "/presets", secretsPath + "/" + custom, secretsPath + "/" + long,
		keysPath, usersPath,
	} {
		s.do(t, get(path, me.key)).want(t, 200)
	}
	s.do(t, del(secretsPath+"/"+custom, me.key)).want(t, 204)
	s.ownKey(t, me.key, members{"name": "spare"})
	s.do(t, del(usersPath+"/"+me.id, s.Key)).want(t, 204)
}

// badBodies sends canaries in the body of an operation, in ways that are refused, by callers who
// may and callers who may not.
func (s *site) badBodies(t *testing.T, birds *aviary, op apicontract.Operation, at target) {
	t.Helper()
	if !op.HasBody {
		return
	}
	bare, by := s.keyFor(t, at.id, members{"allowed_scopes": []string{}}), s.sealer(t)
	for _, key := range []plaintext.Value{at.key, bare, noKey} {
		for how, body := range badBodies(t, birds, op) {
			c := at.call(op, body)
			c.key = key
			for _, c := range []call{c, by.seal(t, c)} {
				got := s.do(t, c)
				if got.status < 400 && !strings.Contains(how, "value") {
					t.Errorf("%s: a canary %s was taken", op.ID, how)
				}
			}
		}
	}
	for how, header := range map[string]http.Header{
		"in a body of another type":  {"Content-Type": {"text/plain"}},
		"in a body that is packed":   {"Content-Encoding": {"gzip"}},
		"in a body of an old client": {"User-Agent": {"dreadnode-sdk/1.0"}},
	} {
		body := encode(t, members{"value": birds.rich(how), "name": birds.rich(how)})
		c := at.call(op, body)
		c.header = header
		s.do(t, c)
	}
}

// badBodies returns bodies with a canary, by what it stands in the place of.
func badBodies(t *testing.T, birds *aviary, op apicontract.Operation) map[string]string {
	t.Helper()
	var base members
	if err := json.Unmarshal(op.Examples[0].Body, &base); err != nil {
		t.Fatal(err)
	}
	good, quoted := encode(t, base), func(c string) string { return encode(t, c) }
	all := map[string]string{}
	add := func(how string, body func(canary string) string) {
		all[how] = body(birds.rich(op.ID + " " + how))
	}
	for name := range base {
		for how, value := range map[string]func(string) any{
			"as ":                func(c string) any { return c + "\n" },
			"in a list for ":     func(c string) any { return []any{c, 7} },
			"in an object for ":  func(c string) any { return members{c: c} },
			"beside NUL in ":     func(c string) any { return c + "\x00" },
			"much too often in ": func(c string) any { return strings.Repeat(c, 1500) },
		} {
			add(how+name, func(c string) string {
				changed := maps.Clone(base)
				changed[name] = value(c)
				return encode(t, changed)
			})
		}
		add("twice in "+name, func(c string) string {
			return `{"` + name + `":` + quoted(c) + `,"` + name + `":` + quoted(c) + "}"
		})
	}
	// GOOD is a body that is taken, OPEN one without its last brace; then the canary: itself, its
	// first half, in quotes, and much too often.
	for how, form := range map[string]string{
		"as a field's name":           `OPEN,QUOTED:1}`,
		"as a field's name, twice":    `OPEN,QUOTED:1,QUOTED:1}`,
		"in an unknown field":         `OPEN,"valeu":QUOTED}`,
		"in a field of another case":  `OPEN,"Value":QUOTED}`,
		"in broken UTF-8":             `OPEN,"name":"HALF` + "\xff" + `"}`,
		"in a broken escape":          `OPEN,"name":"HALF\ud800"}`,
		"in a body that is cut off":   `OPEN,"name":"HALF`,
		"after the body":              `GOODCANARY`,
		"before the body":             `CANARYGOOD`,
		"as the body":                 `CANARY`,
		"as a string for a body":      `QUOTED`,
		"as a list for a body":        `[QUOTED]`,
		"in a body that is too deep":  `OPEN,"a":[[[[[[[[[[[QUOTED]]]]]]]]]]]}`,
		"in a body that is too large": `OPEN,"value":MANY}`,
	} {
		add(how, func(c string) string {
			return strings.NewReplacer("GOOD", good, "OPEN", good[:len(good)-1], "CANARY", c,
				"HALF", c[:30], "QUOTED", quoted(c), "MANY", quoted(strings.Repeat(c, 6000)),
			).Replace(form)
		})
	}
	return all
}

// badPlaces sends canaries with an operation, wherever there is a place but the body.
func (s *site) badPlaces(t *testing.T, birds *aviary, op apicontract.Operation, at target) {
	t.Helper()
	ask := func(how string, change func(c *call, canary string)) {
		c := at.call(op, "")
		if c.header = (http.Header{}); op.HasBody {
			c.body = "{}"
		}
		change(&c, birds.letOut("of "+op.ID+" "+how))
		s.do(t, c)
	}
	ask("in the query", func(c *call, canary string) {
		c.path += "?key=" + canary + "&" + canary + "=1&limit=" + url.QueryEscape("\n"+canary)
	})
	for i, name := range op.Parameters {
		ask("as "+name, func(c *call, canary string) {
			ids := slices.Clone(at.ids)
			ids[i] = canary
			c.path = op.URL(ids...)
		})
	}
	for _, h := range []string{
		"X-Request-Id", "User-Agent", "X-Api-Key", "Cookie", "Referer", "Origin", "Accept",
		"Accept-Language", "X-Forwarded-For", "X-Forwarded-Host",
		"Forwarded", "Traceparent", "Tracestate", "X-Correlation-Id", "Proxy-Authorization",
		"If-None-Match", "Content-Type", "Content-Encoding",
	} {
		ask("as "+h, func(c *call, canary string) { c.header[h] = []string{canary} })
	}
	ask("as the key", func(c *call, canary string) { c.key = plaintext.FromString(canary) })
	for how, header := range map[string][2]string{
		"as a password":              {"Authorization", "Basic "},
		"as a scheme":                {"Authorization", ""},
		"as an old client's version": {"User-Agent", "dreadnode-sdk/"},
		"beside a key":               {"X-Api-Key", ""},
	} {
		ask(how, func(c *call, canary string) { c.header.Set(header[0], header[1]+canary) })
	}
	ask("as an unknown method", func(c *call, canary string) { c.method = canary })
}

// badPaths sends canaries to where nothing is.
func (s *site) badPaths(t *testing.T, birds *aviary) {
	t.Helper()
	for _, path := range []string{
		"/%s", "/api/v1/%s", "/api/v1/user/secrets/x/%s", "/api/v1//%s", "/api/v1/%%2f%s",
		"/api/v1/../%s", "/api/v1/user/secrets?%s", "/api/v1/health/%s",
	} {
		for _, method := range []string{"GET", "POST", "DELETE"} {
			at := fmt.Sprintf(path, birds.letOut("in "+path))
			s.do(t, call{method: method, path: at, key: s.Key, body: "{}"})
		}
	}
}

// brokenRequests sends canaries in what is not HTTP, which never reaches our code.
func (s *site) brokenRequests(t *testing.T, birds *aviary) {
	t.Helper()
	for _, format := range []string{
		"%s\r\n\r\n", "GET /%s\r\n\r\n", "GET / HTTP/9.%s\r\n\r\n", "GET / HTTP/1.1\r\n%s\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\n%s : b\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: %s\x01\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: %s\r\n\r\n",
		"GET /%%zz%s HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: %s\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nExpect: %s\r\n\r\n", "PRI * HTTP/2.0\r\n\r\n%s\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nX-Api-Key: %s" + strings.Repeat("x", 64<<10) + "\r\n\r\n",
		"CONNECT %s:443 HTTP/1.1\r\nHost: a\r\n\r\n", "\x16\x03\x01%s",
	} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		// the server may hang up before it has read all
		_, _ = fmt.Fprintf(conn, format, birds.letOut("in a broken request"))
		_ = conn.(*net.TCPConn).CloseWrite()
		said, _ := io.ReadAll(conn)
		birds.caught = append(birds.caught, answer{body: said})
		_ = conn.Close()
	}
}
