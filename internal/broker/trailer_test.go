package broker_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"testing"
)

func TestAKeyIsReplacedInTrailersAndAnswersBeforeTheTrueOneStop(t *testing.T) {
	t.Parallel()
	for _, two := range []bool{false, true} {
		s := startBefore(t, repeatingTwice, two)
		l := s.lease("openai")
		for _, kind := range []string{"application/json", "application/octet-stream", "none"} {
			r := must(http.NewRequest(http.MethodPost, s.URL+"/openai/v1/x", nil))
			r.Header = bearer(l)
			r.Header.Set("X-Kind", kind)
			r = r.WithContext(httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
				Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
					t.Errorf("%s: %d with %d headers passes", kind, code, len(h))
					return nil
				},
			}))
			resp, err := s.Client().Transport.RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			got := fmt.Sprint(resp.Header, resp.Trailer)
			if strings.Contains(got, l.value) || strings.Contains(got, "early=1") ||
				strings.Contains(got, "late=1") {
				t.Errorf("%s: more than the answer passes: %q", kind, resp.Trailer)
			}
			want := "bad key " + l.placeholder
			if one := resp.Trailer.Get("Grpc-Message"); one != want {
				t.Errorf("%s: the trailer has %q", kind, one)
			}
			if one := resp.Trailer.Get("X-Surprise"); one != l.placeholder {
				t.Errorf("%s: the trailer that was not announced has %q", kind, one)
			}
		}
	}
}

// repeatingTwice answers with the key early, in headers, and late, in trailers.
func repeatingTwice(w http.ResponseWriter, r *http.Request) {
	key := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	h := w.Header()
	h.Set("Link", "<"+key+">")
	h.Set("Set-Cookie", "early=1")
	w.WriteHeader(http.StatusEarlyHints)
	h.Del("Link")
	h.Set("Trailer", "Grpc-Message, Set-Cookie, Keysake-Broker")
	kind := r.Header.Get("X-Kind")
	h.Set("Content-Type", kind)
	if kind != "none" {
		_, _ = io.WriteString(w, `{"ok":true}`)
	}
	_ = http.NewResponseController(w).Flush()
	h.Set("Grpc-Message", "bad key "+key)
	h.Set("Set-Cookie", "late=1")
	h.Set("Keysake-Broker", "late=1")
	h.Set(http.TrailerPrefix+"X-Surprise", key)
}
