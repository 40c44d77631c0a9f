package server

import (
	"context"
	"io"
	"net"
	"os"
	"regexp"
	"strings"

	"github.com/keysake/keysake/internal/identity"
	"github.com/keysake/keysake/internal/vault"
	"github.com/keysake/keysake/plaintext"
)

// printBanner tells people where the server listens. With a file of the dev user's API key it also
// shows how to create a first secret, and to use it, and where to do that in a browser, if there is
// a link that signs in.
func printBanner(out io.Writer, url, devKeyFile, link string) error {
	text := "Keysake is listening on " + url + "\n"
	if link != "" {
		text += "\nOpen this in a browser to sign in as dev; it works once:\n\n  " +
			url + link + "\n\n"
	}
	if devKeyFile != "" {
		program := shellWord(os.Args[0])
		text += "The API key of the user dev is in " + devKeyFile +
			"\n\nIn another terminal, in this folder, create a secret and use it:\n\n" +
			"  export KEYSAKE_URL=" + url + "\n" +
			"  export KEYSAKE_API_KEY_FILE=" + shellWord(devKeyFile) + "\n" +
			"  printf %s example-value-put-your-own-key-here |\n" +
			"    " + program + " secrets set --preset openai\n" +
			"  " + program + " run --preset openai -- printenv OPENAI_API_KEY\n" +
			"\nOr with any HTTP client:\n\n" +
			"  curl -sS " + url + "/api/v1/user/secrets/preset \\\n" +
			"    -H \"Authorization: Bearer $(cat " + shellQuote(devKeyFile) + ")\" \\\n" +
			"    -H 'Content-Type: application/json' \\\n" +
			"    -d '{\"provider\": \"openai\", " +
			"\"value\": \"example-value-put-your-own-key-here\"}'\n\n"
	}
	_, err := io.WriteString(out, text)
	return err
}

// printBrokerBanner tells people where a broker that is alone listens.
func printBrokerBanner(out io.Writer, socket net.Listener, tls bool) error {
	scheme := "http://"
	if tls {
		scheme = "https://"
	}
	_, err := io.WriteString(out, "The broker of Keysake is listening on "+scheme+
		socket.Addr().String()+"\n")
	return err
}

var plainWord = regexp.MustCompile(`^[A-Za-z0-9_./-]+$`)

// shellWord returns a path as one word for a POSIX shell, quoted only if that is needed.
func shellWord(path string) string {
	if plainWord.MatchString(path) {
		return path
	}
	return shellQuote(path)
}

// shellQuote quotes a path as one word for a POSIX shell, also inside $(…).
func shellQuote(path string) string {
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}

// devLink returns the path of a link that signs in the user dev, whose API key is in a file. It is
// empty without such a file, and if the key does not work: the server serves all the same.
func (s *server) devLink(ctx context.Context, keyFile string) string {
	if keyFile == "" {
		return ""
	}
	key, err := os.ReadFile(keyFile)
	if err == nil {
		var who vault.Actor
		if who, err = s.instance.Vault.Authenticate(ctx, plaintext.Own(key)); err == nil {
			return identity.PathOfLink(s.sessions.Offer(who))
		}
	}
	s.log.WarnContext(ctx, "there is no sign-in link", "cause", err)
	return ""
}
