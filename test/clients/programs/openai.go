package main

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
)

func runOpenAI(ctx context.Context, env map[string]string) error {
	calls := new(counting)
	own := option.WithHTTPClient(&http.Client{Transport: calls})
	connect := func(more ...option.RequestOption) models {
		return openAI{openai.NewClient(append(more, own)...)}
	}
	elsewhere := strings.Replace(env["OPENAI_BASE_URL"], "/v1", "/v2", 1)
	return trial{
		calls: calls, client: connect(),
		unlisted: connect(option.WithBaseURL(elsewhere)),
		another:  connect(option.WithAPIKey("another")),
	}.run(ctx)
}

type openAI struct{ client openai.Client }

func (openAI) question(model string) openai.ChatCompletionNewParams {
	return openai.ChatCompletionNewParams{
		Model:    model,
		Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage("hello")},
	}
}

func (o openAI) complete(ctx context.Context, model string) (string, error) {
	answer, err := o.client.Chat.Completions.New(ctx, o.question(model))
	if err != nil {
		return "", err
	}
	return answer.Choices[0].Message.Content, nil
}

func (o openAI) stream(ctx context.Context, model string, part func(string) error) error {
	stream := o.client.Chat.Completions.NewStreaming(ctx, o.question(model))
	for stream.Next() {
		if err := part(stream.Current().Choices[0].Delta.Content); err != nil {
			return err
		}
	}
	return errors.Join(stream.Err(), stream.Close())
}

func (o openAI) get(ctx context.Context, model string) error {
	_, err := o.client.Models.Get(ctx, model)
	return err
}

func (openAI) response(err error) *http.Response {
	if e, ok := errors.AsType[*openai.Error](err); ok {
		return e.Response
	}
	return nil
}
