package main

import (
	"context"
	"errors"
	"net/http"

	"github.com/anthropics/anthropic-sdk-go/v2"
	"github.com/anthropics/anthropic-sdk-go/v2/option"
)

func runAnthropic(ctx context.Context, env map[string]string) error {
	calls := new(counting)
	own := option.WithHTTPClient(&http.Client{Transport: calls})
	connect := func(more ...option.RequestOption) models {
		return anthropicAPI{anthropic.NewClient(append(more, own)...)}
	}
	elsewhere := env["ANTHROPIC_BASE_URL"] + "/@other.example"
	return trial{
		calls: calls, client: connect(),
		unlisted: connect(option.WithBaseURL(elsewhere)),
		another:  connect(option.WithAPIKey("another")),
	}.run(ctx)
}

type anthropicAPI struct{ client anthropic.Client }

func (anthropicAPI) question(model string) anthropic.MessageNewParams {
	return anthropic.MessageNewParams{
		Model: model, MaxTokens: 9,
		Messages: []anthropic.MessageParam{
			anthropic.NewUserMessage(anthropic.NewTextBlock("hello")),
		},
	}
}

func (a anthropicAPI) complete(ctx context.Context, model string) (string, error) {
	answer, err := a.client.Messages.New(ctx, a.question(model))
	if err != nil {
		return "", err
	}
	return answer.Content[0].Text, nil
}

func (a anthropicAPI) stream(ctx context.Context, model string, part func(string) error) error {
	stream := a.client.Messages.NewStreaming(ctx, a.question(model))
	for stream.Next() {
		delta, ok := stream.Current().AsAny().(anthropic.ContentBlockDeltaEvent)
		if !ok {
			continue
		}
		if err := part(delta.Delta.Text); err != nil {
			return err
		}
	}
	return errors.Join(stream.Err(), stream.Close())
}

func (a anthropicAPI) get(ctx context.Context, model string) error {
	_, err := a.client.Models.Get(ctx, model, anthropic.ModelGetParams{})
	return err
}

func (anthropicAPI) response(err error) *http.Response {
	if e, ok := errors.AsType[*anthropic.Error](err); ok {
		return e.Response
	}
	return nil
}
