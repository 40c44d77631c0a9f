package api_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/keysake/keysake/wire"
)

// value is one of 30 characters, of which the mask shows nine.
func value(first, last string) string {
	return first + strings.Repeat("x", 30-len([]rune(first+last))) + last
}

func TestTheMaskIsOfCharactersNotOfBytesOrEscapes(t *testing.T) {
	t.Parallel()
	s := start(t)
	me := s.person(t)
	for i, c := range []struct{ sent, mask string }{
		{`"` + value("sk-pro", "789") + `"`, "sk-pro••••789"},
		{`"\u0073k-\u0070ro` + strings.Repeat("x", 21) + `\u0037\u0038\u0039"`, "sk-pro••••789"},
		{`"` + value("äöüßéè", "€🔑ñ") + `"`, "äöüßéè••••€🔑ñ"},
		{`"` + strings.Repeat(`\ud83d\udd11`, 25) + `"`, "🔑🔑🔑🔑🔑🔑••••🔑🔑🔑"},
		{`"` + strings.Repeat("x", 25) + `"`, "xxxxxx••••xxx"},
		{`"` + strings.Repeat("x", 24) + `"`, "••••"},
		{`"` + strings.Repeat("🔑", 24) + `"`, "••••"},
		{`"x"`, "••••"},
		{`"` + strings.Repeat("x", 65536) + `"`, "xxxxxx••••xxx"},
		{`"-----BEGIN KEY-----\n` + strings.Repeat("x", 30) + `\n-----END KEY-----\n"`, "-----B••••--\n"},
	} {
		body := fmt.Sprintf(`{"name":"N%d","value":%s}`, i, c.sent)
		made := s.do(t, post(secretsPath, me.key, body)).want(t, 201)
		secret := into[wire.Secret](t, made)
		if secret.MaskedValue != c.mask {
			t.Errorf("%d: the mask is %q, want %q", i, secret.MaskedValue, c.mask)
		}
		read := s.do(t, get(made.header.Get("Location"), me.key)).want(t, 200)
		if string(read.body) != string(made.body) {
			t.Errorf("%d: what is read is not what was answered when it was made", i)
		}
	}
}

func TestAValueThatCannotBeKeptAsItIsIsRefused(t *testing.T) {
	t.Parallel()
	s := start(t)
	me := s.person(t)
	custom := func(value string) call {
		return post(secretsPath, me.key, encode(t, members{"name": "ONE", "value": value}))
	}
	preset := func(value string) call {
		return post(presetPath, me.key, encode(t, members{"provider": "openai", "value": value}))
	}
	for value, fault := range map[string]string{
		"": "string_too_short", "\x00": "value_error", "a\x00b": "value_error",
		strings.Repeat("x", 65537): "string_too_long",
		strings.Repeat("é", 32769): "string_too_long",
	} {
		s.do(t, custom(value)).refused(t, 422, "body.value "+fault)
		s.do(t, preset(value)).refused(t, 422, "body.value "+fault)
	}
	pastes := []string{
		" x", "x ", "x y", "x\n", "\tx", "x\r\n", "\x1b[31mx", "x\x7f", "x\u0085", "x\u00a0",
		"x\u2028", "\ufeffx", "x\u200b", "x\u202ey", "x\u00ady", "\u3000",
	}
	for i, paste := range pastes {
		if got := s.do(t, preset(paste)); got.status != 422 ||
			got.faults(t)[0] != "body.value value_error" {
			t.Errorf("paste %d as the value of a preset: answered %d, want 422", i, got.status)
		}
		// a custom value may have anything
		id := s.secret(t, me.key, fmt.Sprintf("CUSTOM_%d", i), paste)
		body := encode(t, members{"value": paste})
		s.do(t, put(secretsPath+"/"+id, me.key, body)).want(t, 200)
	}
	made := s.do(t, preset("any-value")).want(t, 201)
	for _, paste := range pastes {
		update := put(made.header.Get("Location"), me.key, encode(t, members{"value": paste}))
		s.do(t, update).refused(t, 422, "body.value value_error")
	}
}

func TestOnlyAProviderOfTheCatalogIsOne(t *testing.T) {
	t.Parallel()
	s := start(t)
	me := s.person(t)
	for _, provider := range []string{
		"OpenAI", "openai ", "open", "no-such-provider", "../openai", "openai\x00",
		strings.Repeat("a", 1000),
	} {
		for path, body := range map[string]members{
			presetPath:  {"provider": provider, "value": "any-value"},
			secretsPath: {"provider": provider, "value": "any-value", "name": "ONE"},
		} {
			got := s.do(t, post(path, me.key, encode(t, body)))
			got.refused(t, 422, "body.provider enum")
			if !strings.Contains(string(got.body), "GET "+secretsPath+"/presets") {
				t.Error("the answer does not say where the providers are listed")
			}
		}
	}
	list := func() []wire.Preset {
		got := s.do(t, get(secretsPath+"/presets", me.key)).want(t, 200)
		return into[wire.PresetList](t, got).Presets
	}
	presets := list()
	for i, want := range []string{
		"openai OPENAI_API_KEY", "anthropic ANTHROPIC_API_KEY", "github GITHUB_TOKEN",
		"tinker TINKER_API_KEY",
	} {
		if got := presets[i].Provider + " " + presets[i].EnvVarName; got != want ||
			presets[i].Configured {
			t.Errorf("the preset at %d is %s, want %s", i, got, want)
		}
	}
	for _, p := range presets {
		body := encode(t, members{"provider": p.Provider, "value": value("sk-pro", "789")})
		made := s.do(t, post(presetPath, me.key, body)).want(t, 201)
		if secret := into[wire.Secret](t, made); secret.Name != p.EnvVarName ||
			*secret.Provider != p.Provider {
			t.Errorf("the preset %s makes %s", p.Provider, secret.Name)
		}
	}
	for _, p := range list() {
		if !p.Configured {
			t.Errorf("%s was created and is not configured", p.Provider)
		}
	}
}

func TestAnExpiryIsATimeToCome(t *testing.T) {
	t.Parallel()
	s := start(t)
	me := s.person(t)
	ask := func(expiry any) answer {
		return s.do(t, post(keysPath, me.key, encode(t, members{"expires_at": expiry})))
	}
	for sent, shown := range map[string]string{
		"2099-01-01T00:00:00Z":           "2099-01-01T00:00:00Z",
		"2099-01-01t00:00:00z":           "2099-01-01T00:00:00Z",
		"2099-01-01T02:00:00+02:00":      "2099-01-01T00:00:00Z",
		"2098-12-31T18:30:00-05:30":      "2099-01-01T00:00:00Z",
		"2099-01-01T00:00:00.25Z":        "2099-01-01T00:00:00.25Z",
		"2099-01-01T00:00:00.123456789Z": "2099-01-01T00:00:00.123456Z",
		"9999-12-31T23:59:59.9999999Z":   "9999-12-31T23:59:59.999999Z",
	} {
		made := ask(sent).want(t, 201)
		if !strings.Contains(string(made.body), `"expires_at":"`+shown+`"`) {
			t.Errorf("%s is not shown as %s", sent, shown)
		}
	}
	for _, past := range []string{
		time.Now().Add(-time.Second).Format(time.RFC3339Nano), "2020-01-01T00:00:00Z",
		"1970-01-01T00:00:00Z", "0001-01-01T00:00:00Z",
		"0001-01-01T01:00:00+01:00", "0000-01-01T00:00:00Z",
	} {
		ask(past).refused(t, 422, "body.expires_at value_error")
	}
	for _, text := range []any{
		"", "tomorrow", "2099-01-01", "2099-01-01T00:00:00", "2099-01-01T25:00:00Z",
		"9999-12-31T23:59:59-00:01", 4070908800,
	} {
		ask(text).refused(t, 422, "body.expires_at datetime_parsing")
	}
	list := into[wire.APIKeyList](t, s.do(t, get(keysPath, me.key)).want(t, 200))
	if list.Total != 8 {
		t.Errorf("there are %d keys, want 8: what was refused made some", list.Total)
	}
}

func TestABodyThatBreaksOffIsA400(t *testing.T) {
	t.Parallel()
	s := start(t)
	for name, body := range map[string]string{
		"shorter than it says": "Content-Length: 100\r\n\r\n{\"value\":",
		"a broken chunk":       "Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
		"no last chunk":        "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			_, err = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: test\r\nX-API-Key: %s\r\n"+
				"Content-Type: application/json\r\n%s", presetPath, text(s.Key), body)
			if err != nil {
				t.Fatal(err)
			}
			if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
				t.Fatal(err)
			}
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			s.check(t, "POST", presetPath, resp).refused(t, 400)
		})
	}
}
