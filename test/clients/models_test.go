package clients_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A dialect is how a provider of models answers.
type dialect struct {
	whole      string // answer
	begin, end string // of one that streams: its first word, and the rest
	model      string
	refusal    string // an error
}

// OpenAI's and Anthropic's answers.
var (
	openAI = dialect{
		whole: "" +
			`{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"hello you"}}],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}`,
		begin:   openAIChunk("hello"),
		end:     openAIChunk(" you") + "data: [DONE]\n\n",
		model:   `{"id":"m","object":"model","created":1,"owned_by":"o"}`,
		refusal: `{"error":{"message":"no","type":"t","param":null,"code":"c"}}`,
	}
	anthropic = dialect{
		whole: "" +
			`{"id":"c","type":"message","role":"assistant","model":"m","stop_reason":"end_turn","stop_sequence":null,"content":[{"type":"text","text":"hello you"}],"usage":{"input_tokens":3,"output_tokens":2}}`,
		begin: anthropicEvent(
			"message_start",
			`"message":{"id":"c","type":"message","role":"assistant","model":"m","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":3,"output_tokens":1}}`,
		) +
			anthropicEvent("content_block_start",
				`"index":0,"content_block":{"type":"text","text":""}`) +
			anthropicEvent("content_block_delta",
				`"index":0,"delta":{"type":"text_delta","text":"hello"}`),
		end: anthropicEvent("content_block_delta",
			`"index":0,"delta":{"type":"text_delta","text":" you"}`) +
			anthropicEvent("content_block_stop",
				`"index":0`) +
			anthropicEvent(
				"message_delta",
				`"delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":2}`,
			) +
			anthropicEvent("message_stop",
				`"x":0`),
		model:   `{"id":"m","type":"model","display_name":"m","created_at":"2026-01-01T00:00:00Z"}`,
		refusal: `{"type":"error","error":{"type":"t","message":"no"}}`,
	}
)

func openAIChunk(text string) string {
	return fmt.Sprintf(`data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m",`+
		`"choices":[{"index":0,"delta":{"content":%q},"finish_reason":null}]}`+"\n\n", text)
}

func anthropicEvent(name, more string) string {
	return fmt.Sprintf("event: %s\ndata: {\"type\":%q,%s}\n\n", name, name, more)
}

// handler answers by the model that is asked for. A stream goes on when its client has read the
// first word, and asks for the model "next"; for the model "left" it is told that the provider has
// seen a client leave.
func (d dialect) handler() http.HandlerFunc {
	next, left := make(chan struct{}, 1), make(chan struct{}, 1)
	var busy atomic.Int64
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Retry-After-Ms", "1") // for those who try again
		refuse := func(status int) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, d.refusal)
		}
		var in struct{ Model string }
		switch _ = json.NewDecoder(r.Body).Decode(&in); {
		case strings.HasSuffix(r.URL.Path, "/models/next"):
			next <- struct{}{}
			_, _ = io.WriteString(w, d.model)
		case strings.HasSuffix(r.URL.Path, "/models/left"):
			<-left
			_, _ = io.WriteString(w, d.model)
		case in.Model == "stream" || in.Model == "abort":
			w.Header().Set("Content-Type", "text/event-stream")
			_, _ = io.WriteString(w, d.begin)
			_ = http.NewResponseController(w).Flush()
			if in.Model == "abort" {
				<-r.Context().Done()
				left <- struct{}{}
				return
			}
			<-next
			_, _ = io.WriteString(w, d.end)
		case in.Model == "denied":
			refuse(http.StatusUnauthorized)
		case in.Model == "exhausted":
			refuse(http.StatusTooManyRequests)
		case in.Model == "busy" && busy.Add(1) == 1:
			refuse(http.StatusInternalServerError)
		case in.Model == "busy" && busy.Load() == 2:
			refuse(http.StatusTooManyRequests)
		default:
			_, _ = io.WriteString(w, d.whole)
		}
	}
}

// modelSteps are what a client of models reports. errorOf names its errors.
func modelSteps(unlisted string, errorOf func(status int) string) []step {
	return []step{
		{Step: "environment"},
		{Step: "plain", Text: "hello you"},
		{Step: "stream", Text: "hello you"},
		{Step: "abort", Text: "hello"},
		{Step: "busy", Text: "hello you", Calls: 3},
		{Step: "denied", Error: errorOf(401), Status: 401, Calls: 1},
		{Step: "exhausted", Error: errorOf(429), Status: 429, Calls: 3},
		{Step: "unlisted", Error: errorOf(403), Status: 403, Rule: unlisted, Calls: 1},
		{Step: "another key", Error: errorOf(403), Status: 403, Rule: "other", Calls: 1},
	}
}

// arrivals are the requests that reach the provider meanwhile, by what they ask.
func modelArrivals(host, path string) map[string]int {
	return map[string]int{
		"POST " + host + path:             10, // three times busy and exhausted
		"GET " + host + "/v1/models/next": 1,
		"GET " + host + "/v1/models/left": 1,
	}
}

func javaScriptErrors(status int) string {
	return map[int]string{
		401: "AuthenticationError", 403: "PermissionDeniedError", 429: "RateLimitError",
	}[status]
}

func always(name string) func(int) string { return func(int) string { return name } }

func TestClientsOfModelsWorkWithoutAKeyAsTheyDoWithOne(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		provider, host, path string
		answers              dialect
		want                 []step
		client               func(*testing.T, string) []string
		key                  func(arrived) string
	}{
		"OpenAI, JavaScript": {
			"openai", "api.openai.com", "/v1/chat/completions", openAI,
			modelSteps("path", javaScriptErrors), node, bearer,
		},
		"OpenAI, Go": {
			"openai", "api.openai.com", "/v1/chat/completions", openAI,
			modelSteps("path", always("*apierror.Error")), program, bearer,
		},
		"Anthropic, JavaScript": {
			"anthropic", "api.anthropic.com", "/v1/messages", anthropic,
			modelSteps("host", javaScriptErrors), node, xAPIKey,
		},
		"Anthropic, Go": {
			"anthropic", "api.anthropic.com", "/v1/messages", anthropic,
			modelSteps("host", always("*apierror.Error")), program, xAPIKey,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			command := c.client(t, c.provider)
			l := newLab(t, c.answers.handler())
			value := l.store(c.provider)
			got := l.steps(c.provider, value, command...)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
			all := l.requests()
			l.assertKeys(all, value, c.key)
			count := map[string]int{}
			for _, a := range all {
				count[a.String()]++
			}
			if diff := cmp.Diff(modelArrivals(c.host, c.path), count); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func xAPIKey(a arrived) string { return a.header.Get("X-Api-Key") }
