package server

import (
	"io"
	"strings"
)

// printBanner tells people where the server listens. With a file of the dev user's API key it also
// shows how to create a first secret.
func printBanner(out io.Writer, url, devKeyFile string) error {
	text := "Keysake is listening on " + url + "\n"
	if devKeyFile != "" {
		text += "The API key of the user dev is in " + devKeyFile +
			"\n\nCreate a secret from a preset:\n\n" +
			"  curl -sS " + url + "/api/v1/user/secrets/preset \\\n" +
			"    -H \"Authorization: Bearer $(cat " + shellQuote(devKeyFile) + ")\" \\\n" +
			"    -H 'Content-Type: application/json' \\\n" +
			"    -d '{\"provider\": \"openai\", " +
			"\"value\": \"example-value-put-your-own-key-here\"}'\n\n"
	}
	_, err := io.WriteString(out, text)
	return err
}

// shellQuote quotes a path as one word for a POSIX shell, also inside $(…).
func shellQuote(path string) string {
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}
