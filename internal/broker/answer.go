package broker

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// errorType is the type of an answer of ours, in words that most providers have for it.
func errorType(status int) string {
	switch status {
	case http.StatusBadRequest:
		return "invalid_request_error"
	case http.StatusForbidden:
		return "permission_error"
	case http.StatusTooManyRequests:
		return "rate_limit_error"
	case http.StatusServiceUnavailable:
		return "overloaded_error"
	}
	return "api_error"
}

// answer tells the client of a refusal in the form of the provider's own errors, so that the
// provider's programs show it.
func (r *refusal) answer(w http.ResponseWriter, req *http.Request, p *provider, lease string) {
	h := w.Header()
	clear(h)
	note := "type=" + errorType(r.status) + "; rule=" + string(r.rule)
	if lease != "" {
		note += "; lease=" + lease
	}
	h.Set("Keysake-Broker", note)
	h.Set("Cache-Control", "no-store")
	if req.ProtoMajor == 1 && req.Body != nil && req.Body != http.NoBody {
		h.Set("Connection", "close") // the rest of the body may be there, or not come any more
	}
	// The programs of several providers try again whatever this does not forbid.
	h.Set("X-Should-Retry", strconv.FormatBool(r.after > 0 && !r.final))
	if r.after > 0 {
		h.Set("Retry-After", strconv.Itoa(int((r.after+time.Second-1)/time.Second)))
	}
	if strings.HasPrefix(req.Header.Get("Content-Type"), "application/grpc") {
		r.answerGRPC(h)
		w.WriteHeader(http.StatusOK)
		return
	}
	body, err := json.Marshal(r.body(p))
	if err != nil {
		panic(err) // texts and numbers are always written
	}
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(r.status)
	_, _ = w.Write(body) // the client may be gone
}

// body returns the error in the form that the catalog has of the provider's.
func (r *refusal) body(p *provider) any {
	message := "Keysake: " + r.detail
	if p != nil {
		for _, a := range p.entry.Attach {
			if a.Refusal != nil {
				return r.fill(a.Refusal, message)
			}
		}
	}
	// Programs look for the message in one of these places.
	return map[string]any{
		"error": map[string]any{
			"message": message, "type": errorType(r.status), "code": r.rule,
		},
		"message": message,
		"detail":  message,
	}
}

// fill puts what happened into a template of the catalog, which is written for a 403.
func (r *refusal) fill(template any, message string) any {
	switch t := template.(type) {
	case map[string]any:
		filled := make(map[string]any, len(t))
		for name, value := range t {
			filled[name] = r.fill(value, message)
		}
		return filled
	case string:
		switch t {
		case "permission_error":
			return errorType(r.status)
		case strconv.Itoa(http.StatusForbidden):
			return strconv.Itoa(r.status)
		}
		return strings.NewReplacer("{message}", message, "{code}", string(r.rule)).Replace(t)
	}
	return template
}

// answerGRPC writes an error of gRPC, which stands in headers.
func (r *refusal) answerGRPC(h http.Header) {
	h.Set("Content-Type", "application/grpc")
	h.Set("Grpc-Status", strconv.Itoa(grpcStatus(r.status)))
	h.Set("Grpc-Message", strings.ReplaceAll(url.QueryEscape("Keysake: "+r.detail), "+", " "))
}

func grpcStatus(status int) int {
	switch status {
	case http.StatusBadRequest:
		return 3
	case http.StatusForbidden:
		return 7
	case http.StatusTooManyRequests:
		return 8
	}
	return 14
}
