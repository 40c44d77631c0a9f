package main

import (
	"context"
	"errors"
	"net/http"
)

// A models is a client of a provider of models.
type models interface {
	complete(ctx context.Context, model string) (string, error)
	// stream hands over the parts of an answer as they come.
	stream(ctx context.Context, model string, part func(text string) error) error
	get(ctx context.Context, model string) error
	// response returns the answer that an error is about, or nil.
	response(err error) *http.Response
}

// The clients that are tried. unlisted asks at an address that the catalog does not have, another
// with a key of its own.
type trial struct {
	calls                     *counting
	client, unlisted, another models
}

func (t trial) run(ctx context.Context) error {
	text, err := t.client.complete(ctx, "plain")
	if err != nil {
		return err
	}
	report(step{Step: "plain", Text: text})
	if err := t.stream(ctx); err != nil {
		return err
	}
	if err := t.abort(ctx); err != nil {
		return err
	}
	for _, model := range []string{"busy", "denied", "exhausted"} {
		t.counted(ctx, model, t.client, model)
	}
	t.counted(ctx, "unlisted", t.unlisted, "plain")
	t.counted(ctx, "another key", t.another, "plain")
	return nil
}

// stream reads an answer that goes on only after the client has read its beginning.
func (t trial) stream(ctx context.Context) error {
	text := ""
	err := t.client.stream(ctx, "stream", func(part string) error {
		if text == "" {
			if err := t.client.get(ctx, "next"); err != nil {
				return err
			}
		}
		text += part
		return nil
	})
	report(step{Step: "stream", Text: text})
	return err
}

// abort leaves in the middle of an answer, and asks whether the provider has seen it.
func (t trial) abort(ctx context.Context) error {
	stop, cancel := context.WithCancel(ctx)
	defer cancel()
	text := ""
	err := t.client.stream(stop, "abort", func(part string) error {
		text += part
		cancel()
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		return errors.Join(errors.New("the stream went on"), err)
	}
	report(step{Step: "abort", Text: text})
	return t.client.get(ctx, "left")
}

func (t trial) counted(ctx context.Context, name string, client models, model string) {
	t.calls.counted(name, func() (string, error) {
		return client.complete(ctx, model)
	}, client.response)
}
