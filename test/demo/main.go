// Command demo runs a command, such as a server of Keysake, in an environment in which OpenAI is
// played by this machine: to try the broker without a key of OpenAI's, and without spending any.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"

	"github.com/keysake/keysake/test/standin"
)

func main() {
	err := run(os.Args[1:])
	if failed, ok := errors.AsType[*exec.ExitError](err); ok {
		os.Exit(failed.ExitCode())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

// run runs a command until it ends.
func run(args []string) error {
	if len(args) == 0 {
		return errors.New("usage: demo COMMAND [ARGUMENT…]")
	}
	provider, err := standin.Start(http.HandlerFunc(answer))
	if err != nil {
		return err
	}
	defer provider.Close() //nolint:errcheck // the program ends
	dir, err := os.MkdirTemp("", "keysake-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a public certificate may stay
	env, err := provider.Environment(dir, "api.openai.com")
	if err != nil {
		return err
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	//nolint:gosec // the command is that of whoever runs this program
	cmd := exec.CommandContext(context.Background(), args[0], args[1:]...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		return err
	}
	go func() {
		for s := range signals {
			if s == syscall.SIGTERM { // a Ctrl-C of the terminal's goes to the command as well
				_ = cmd.Process.Signal(s)
			}
		}
	}()
	return cmd.Wait()
}

// answer answers a chat as OpenAI does. It says of the key that it got how long it is: what else it
// might say of it, the broker would take out.
func answer(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	key, found := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if _, err := io.Copy(io.Discard, r.Body); err != nil || !found || r.Method != http.MethodPost {
		w.WriteHeader(http.StatusUnauthorized)
		_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]any{
			"message": "The stand-in answers a POST with a key.", "type": "invalid_request_error",
		}})
		return
	}
	text := fmt.Sprintf("Hello! Your request came with a key of %d characters.", len(key))
	_ = json.NewEncoder(w).Encode(map[string]any{
		"id": "chatcmpl-demo", "object": "chat.completion", "model": "stand-in",
		"choices": []any{map[string]any{
			"index": 0, "finish_reason": "stop",
			"message": map[string]any{"role": "assistant", "content": text},
		}},
		"usage": map[string]any{"prompt_tokens": 9, "completion_tokens": 12, "total_tokens": 21},
	})
}
