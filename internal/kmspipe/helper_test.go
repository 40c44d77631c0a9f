package kmspipe_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keysake/keysake/internal/kmspipe"
)

// helper returns a program that behaves in a way, and that is not started yet.
func helper(t *testing.T, how string) *kmspipe.Helper {
	t.Helper()
	t.Setenv(behaviour, how)
	own, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	h := &kmspipe.Helper{Path: own}
	t.Cleanup(h.Close)
	return h
}

func within(t *testing.T, limit time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	return ctx
}

const plain = "correct-horse-battery-staple-000"

func TestAProgramWrapsAndUnwraps(t *testing.T) {
	t.Setenv("VAULT_TOKEN", "x")
	t.Setenv("KEYSAKE_DATA", "x")
	h := helper(t, "well")
	var all sync.WaitGroup
	for range 32 {
		all.Go(func() {
			for range 8 {
				wrapped, err := h.Wrap(within(t, time.Minute), "k", []byte(plain))
				if err != nil {
					t.Error(err)
					return
				}
				opened, err := h.Unwrap(within(t, time.Minute), "k", wrapped)
				if err != nil || string(opened) != plain {
					t.Errorf("it opens to another, or not: %v", err)
				}
			}
		})
	}
	all.Wait()
}

func TestWhatAProgramCannotDoIsToldApart(t *testing.T) {
	h := helper(t, "well")
	for key, want := range map[string]kmspipe.Error{
		"refused": {Failure: kmspipe.Refused, Reason: "not you"},
		"broken":  {Failure: kmspipe.Unavailable, Reason: "out of order"},
		"telling": {Failure: kmspipe.Unavailable, Reason: "its response cannot be used"},
		"panics":  {Failure: kmspipe.Unavailable, Reason: "its response cannot be used"},
		"empty":   {Failure: kmspipe.Unavailable, Reason: "its response cannot be used"},
	} {
		_, err := h.Wrap(within(t, time.Minute), key, []byte(plain))
		got, ok := errors.AsType[*kmspipe.Error](err)
		if !ok || *got != want {
			t.Errorf("%s: %v", key, err)
		}
	}
}

func TestASlowAnswerHoldsUpNobodyElse(t *testing.T) {
	h := helper(t, "well")
	if _, err := h.Wrap(within(t, time.Minute), "k", []byte(plain)); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if _, err := h.Wrap(within(t, time.Second), "slow", []byte(plain)); err == nil {
				t.Error("it answers")
			}
		})
	}
	if _, err := h.Wrap(within(t, time.Minute), "k", []byte(plain)); err != nil {
		t.Error(err)
	}
	all.Wait()
	// What was answered late is not taken for something else.
	if _, err := h.Wrap(within(t, time.Minute), "k", []byte(plain)); err != nil {
		t.Error(err)
	}
}

func TestAProgramThatDiesIsStartedAgain(t *testing.T) {
	h := helper(t, "well")
	if _, err := h.Wrap(within(t, time.Minute), "k", []byte(plain)); err != nil {
		t.Fatal(err)
	}
	time.Sleep(1100 * time.Millisecond) // it is not started more than once a second
	if _, err := h.Wrap(within(t, time.Minute), "dies", []byte(plain)); err == nil {
		t.Error("it answers after its end")
	}
	if _, err := h.Wrap(within(t, time.Minute), "k", []byte(plain)); err != nil {
		t.Error(err)
	}
}

// A program that does not keep to the protocol is ended, and nothing that it said is used.
func TestAProgramThatBreaksTheProtocolIsEnded(t *testing.T) {
	for how, reason := range map[string]string{
		"ends":                     "it ended",
		"speaks another protocol":  "it does not speak",
		"says garbage first":       "it does not speak",
		"floods":                   "it answers what was not asked",
		"floods without a newline": "a line is too long",
		"\xff":                     "not one of the protocol",
		`{"id":1,"error":"refused","reason":"` + strings.Repeat("x", 2000) + `"}`: "not one of the protocol",
		`{"id":1,"data":"AAAA"}` + "\n" + `{"id":1,"data":"AAAA"}`:                "it answers what was not asked",
	} {
		t.Run(how[:min(len(how), 40)], func(t *testing.T) {
			h := helper(t, how)
			_, err := h.Unwrap(within(t, 20*time.Second), "k", []byte(plain))
			if err == nil { // its first answer came when it was asked
				_, err = h.Unwrap(within(t, 20*time.Second), "k", []byte(plain))
			}
			failed, ok := errors.AsType[*kmspipe.Error](err)
			if !ok || failed.Failure != kmspipe.Unavailable ||
				!strings.Contains(failed.Reason, reason) {
				t.Errorf("the error is %v", err)
			}
		})
	}
}

func TestAProgramThatDoesNothingIsWaitedForNoLongerThanAsked(t *testing.T) {
	for _, how := range []string{"says nothing", "answers nothing", "does not read"} {
		h := helper(t, how)
		// More than a pipe holds, for the one that does not read.
		data := make([]byte, 32<<10)
		for range 3 {
			began := time.Now()
			_, err := h.Wrap(within(t, 500*time.Millisecond), "k", data)
			if err == nil || time.Since(began) > 20*time.Second {
				t.Errorf("%s: %v after %s", how, err, time.Since(began))
			}
		}
	}
}

func TestOnlyAProgramThatItsOwnerCanChangeIsStarted(t *testing.T) {
	dir := t.TempDir()
	open := filepath.Join(dir, "open")
	if err := os.WriteFile(open, []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(open, 0o707); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		open: "chmod o-w", dir: "is not a file", filepath.Join(dir, "none"): "is missing",
		"": "is missing", // there is none beside the test
	} {
		h := &kmspipe.Helper{Path: path}
		if _, err := h.Wrap(within(t, time.Minute), "k", []byte(plain)); err == nil ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", path, err)
		}
	}
}
