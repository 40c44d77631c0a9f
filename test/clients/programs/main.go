// Command clients runs clients of providers as their authors publish them. What it knows of keys
// and addresses is what its environment says; what a client does, it writes as JSON, a line each.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
)

func main() {
	clients := map[string]func(context.Context, map[string]string) error{
		"openai": runOpenAI, "anthropic": runAnthropic, "github": runGitHub,
	}
	err := errors.New("usage: clients openai|anthropic|github")
	if len(os.Args) == 2 && clients[os.Args[1]] != nil {
		env := map[string]string{}
		for _, pair := range os.Environ() {
			name, value, _ := strings.Cut(pair, "=")
			env[name] = value
		}
		report(step{Step: "environment", Env: env})
		err = clients[os.Args[1]](context.Background(), env)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// A step is what a client does.
type step struct {
	Step   string            `json:"step"`
	Text   string            `json:"text,omitempty"`
	Error  string            `json:"error,omitempty"`
	Status int               `json:"status,omitempty"`
	Rule   string            `json:"rule,omitempty"`
	Calls  int               `json:"calls,omitempty"`
	Env    map[string]string `json:"env,omitempty"`
}

func report(s step) {
	if err := json.NewEncoder(os.Stdout).Encode(s); err != nil {
		panic(err)
	}
}

// counting counts what a client asks.
type counting struct{ calls int }

// RoundTrip implements [http.RoundTripper].
func (c *counting) RoundTrip(r *http.Request) (*http.Response, error) {
	c.calls++
	return http.DefaultTransport.RoundTrip(r)
}

// counted reports what a call returned, or failed with, and how often the client asked.
func (c *counting) counted(
	name string, call func() (string, error), responseOf func(error) *http.Response,
) {
	c.calls = 0
	text, err := call()
	s := step{Step: name, Text: text, Calls: c.calls}
	if err != nil {
		s.Error = fmt.Sprintf("%T", err)
		if r := responseOf(err); r != nil { //nolint:bodyclose // the client has read it
			s.Status = r.StatusCode
			_, rest, _ := strings.Cut(r.Header.Get("Keysake-Broker"), "rule=")
			s.Rule, _, _ = strings.Cut(rest, ";")
		}
	}
	report(s)
}
