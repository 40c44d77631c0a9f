package server

import (
	"io"
	"net"
	"os"
	"regexp"
	"strings"
)

// printBanner tells people where the server listens. With a file of the dev user's API key it also
// shows how to create a first secret, and to use it.
func printBanner(out io.Writer, url, devKeyFile string) error {
	text := "Keysake is listening on " + url + "\n"
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
