package cli_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"strings"

	"github.com/keysake/keysake/client"
	"github.com/keysake/keysake/plaintext"
)

// browse is xdg-open in the scripts: the browser of the user whose API key is in $BROWSER_KEY, who
// signs in, looks at the page of a login, and decides what $BROWSER_DECIDES says.
func browse() {
	err := decide(os.Args[1], os.Getenv("BROWSER_KEY"), os.Getenv("BROWSER_DECIDES"))
	if err != nil {
		fmt.Fprintln(os.Stderr, "xdg-open:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func decide(page, keyFile, decision string) error {
	at, err := url.Parse(page)
	if err != nil {
		return err
	}
	server := at.Scheme + "://" + at.Host
	link, err := signInLink(server, keyFile)
	if err != nil {
		return err
	}
	jar, _ := cookiejar.New(nil)
	b := &http.Client{Jar: jar}
	send := func(path string, form url.Values) error {
		req, err := http.NewRequest(http.MethodPost, server+path, strings.NewReader(form.Encode()))
		if err != nil {
			return err
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Origin", server)
		return answered(b.Do(req))
	}
	_, token, _ := strings.Cut(link, "?link=")
	return errors.Join(send("/ui/sign-in", url.Values{"link": {token}}), answered(b.Get(page)),
		send(at.Path, url.Values{"code": {at.Query().Get("code")}, "decision": {decision}}))
}

func signInLink(server, keyFile string) (string, error) {
	key, err := os.ReadFile(keyFile)
	if err != nil {
		return "", err
	}
	c, err := client.New(server, plaintext.FromString(strings.TrimSpace(string(key))))
	if err != nil {
		return "", err
	}
	me, err := c.WhoAmI(context.Background())
	if err != nil {
		return "", err
	}
	made, err := c.CreateSignInLink(context.Background(), me.ID)
	return made.Path, err
}

func answered(resp *http.Response, err error) error {
	if err != nil {
		return err
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s is answered with %d", resp.Request.URL.Path, resp.StatusCode)
	}
	return nil
}
