package main

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/google/go-github/v84/github"
)

func runGitHub(ctx context.Context, env map[string]string) error {
	calls := new(counting)
	connect := func(address, token string) *github.Client {
		client := github.NewClient(&http.Client{Transport: calls}).WithAuthToken(token)
		client.BaseURL, _ = url.Parse(address + "/") // a broken one fails the first request
		return client
	}
	address, token := env["GITHUB_API_URL"], env["GITHUB_TOKEN"]
	client := connect(address, token)
	text, err := login(ctx, client)
	if err != nil {
		return err
	}
	report(step{Step: "user", Text: text})
	issue, _, err := client.Issues.Create(ctx, "o", "r", &github.IssueRequest{
		Title: github.Ptr("hello"),
	})
	if err != nil {
		return err
	}
	report(step{Step: "issue", Text: issue.GetTitle()})
	calls.counted("missing", func() (string, error) {
		repository, _, err := client.Repositories.Get(ctx, "o", "missing")
		return repository.GetName(), err
	}, gitHubResponse)
	calls.counted("unlisted", func() (string, error) {
		return login(ctx, connect(address+"/@other.example", token))
	}, gitHubResponse)
	calls.counted("another key", func() (string, error) {
		return login(ctx, connect(address, "another"))
	}, gitHubResponse)
	return nil
}

func login(ctx context.Context, client *github.Client) (string, error) {
	user, _, err := client.Users.Get(ctx, "")
	return user.GetLogin(), err
}

func gitHubResponse(err error) *http.Response {
	if e, ok := errors.AsType[*github.ErrorResponse](err); ok {
		return e.Response
	}
	return nil
}
