package broker_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/iotest"
)

// leaseOf returns what all placeholders of a lease have in common.
func leaseOf(l lease) string { return l.placeholder[len(l.placeholder)-71:][:22] }

func TestAPlaceholderOutOfItsPlaceIsRefusedAndArrivesNowhere(t *testing.T) {
	t.Parallel()
	s := startRemembering(t)
	l := s.lease("openai")
	sibling := "ghp_" + leaseOf(l) + randomText(49) // of another secret of the lease
	for name, form := range map[string]string{
		"as it is": l.placeholder, "a sibling": sibling,
		"in base64":       base64.StdEncoding.EncodeToString([]byte("ab" + l.placeholder)),
		"in URL's base64": base64.RawURLEncoding.EncodeToString([]byte("a" + sibling)),
		"in lines":        strings.Join(strings.SplitAfter(base64.StdEncoding.EncodeToString([]byte(sibling)), "c"), "\r\n"),
	} {
		for _, two := range []bool{false, true} {
			for _, size := range []int{1, 7, 1 << 10, 100 << 10} {
				text := strings.Repeat(`{"a":"b"} `, size) + form
				for _, body := range []io.Reader{
					strings.NewReader(text), strings.NewReader(text + strings.Repeat("b", size)),
					iotest.HalfReader(strings.NewReader(text)), // whose length is not known
				} {
					s.refusesBody(name, l, body, two)
				}
			}
		}
		at := url.QueryEscape(form)
		for line, h := range map[string]http.Header{
			"/openai/v1/models?a=" + at: {},
			"/openai/v1/models":         {"X-Any": {strings.ReplaceAll(form, "\r\n", "")}},
			"/openai/v1/responses":      {"Referer": {"https://a.example/?b=" + at}},
		} {
			h.Set("Authorization", "Bearer "+l.placeholder)
			if got := s.ask("GET", line, h, nil); got.rule() != "misplaced" {
				t.Errorf("%s, %s: %v", name, line, got)
			}
			if came, _ := s.last(); came.contains(leaseOf(l)) {
				t.Errorf("%s, %s: the placeholder arrived", name, line)
			}
		}
	}
	for _, r := range s.records() {
		if r.Refused != "misplaced" || r.Status != http.StatusForbidden {
			t.Errorf("recorded: %+v", r)
		}
	}
}

// refusesBody sends a body with a placeholder.
func (s *site) refusesBody(name string, l lease, body io.Reader, two bool) {
	s.t.Helper()
	resp, err := s.open(s.t.Context(), "POST", "/openai/v1/responses", bearer(l), body, two)
	if err != nil {
		s.t.Errorf("%s: %v", name, err)
		return
	}
	defer resp.Body.Close()
	if got := (answer{header: resp.Header}).rule(); got != "misplaced" {
		s.t.Errorf("%s: %d %s", name, resp.StatusCode, got)
	}
	if came, _ := s.last(); came.contains(leaseOf(l)) {
		s.t.Errorf("%s: the placeholder arrived", name)
	}
}

func TestAConnectionWithARefusedBodyIsNotUsedAgain(t *testing.T) {
	t.Parallel()
	s := startRemembering(t)
	l := s.lease("openai")
	for range 20 {
		got := s.ask("POST", "/openai/v1/x", bearer(l), strings.NewReader(l.placeholder))
		if got.rule() != "misplaced" {
			t.Errorf("%v", got)
		}
		got = s.ask("POST", "/openai/v1/x", bearer(l), strings.NewReader("good"))
		if got.status != 200 {
			t.Errorf("the next one: %v", got)
		}
	}
}

func TestAPlaceholderInATrailerIsRefused(t *testing.T) {
	t.Parallel()
	s := startRemembering(t)
	l := s.lease("openai")
	for _, two := range []bool{false, true} {
		body, w := io.Pipe()
		r := must(http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/openai/v1/x",
			body))
		r.Header, r.Trailer = bearer(l), http.Header{"X-Up": nil}
		go func() {
			_, _ = io.WriteString(w, "text")
			r.Trailer.Set("X-Up", l.placeholder)
			_ = w.Close()
		}()
		transport := &http.Transport{Protocols: new(http.Protocols)}
		transport.Protocols.SetHTTP1(!two)
		transport.Protocols.SetUnencryptedHTTP2(two)
		resp := must(transport.RoundTrip(r))
		if got := (answer{header: resp.Header}).rule(); got != "misplaced" {
			t.Errorf("%d %s", resp.StatusCode, got)
		}
		_ = resp.Body.Close()
		transport.CloseIdleConnections()
	}
}

func TestABodyThatOnlyLooksLikeAPlaceholderArrivesAsItIs(t *testing.T) {
	t.Parallel()
	s := startRemembering(t)
	l := s.lease("openai")
	other := s.lease("openai")
	part := leaseOf(l)
	for _, text := range []string{
		"", "a", part[:21], "x" + part[:21] + part[:21], part[1:], other.placeholder,
		hex.EncodeToString(bytes.Repeat([]byte{0, 1, 255}, 99_999)),
		base64.StdEncoding.EncodeToString([]byte(part))[:20] + strings.Repeat("\n", 1<<20),
	} {
		for _, two := range []bool{false, true} {
			body := iotest.HalfReader(strings.NewReader(text))
			resp := must(s.open(t.Context(), "POST", "/openai/v1/x", bearer(l), body, two))
			_ = resp.Body.Close()
			if got, ok := s.last(); !ok || got.body != text {
				t.Errorf("%.50q arrived as %.50q", text, got.body)
			}
		}
	}
}
