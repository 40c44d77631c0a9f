package config

import (
	"fmt"
	"strings"
)

const referenceIntro = `# Settings

The settings of ` + "`keysake serve`" + `. A flag overrides its environment variable, and the
variable overrides the default. An empty variable counts as unset. A list is separated by commas,
in the variables of keys by spaces; its flag may also be repeated.

This page is printed by ` + "`keysake docs settings`" + `.

| flag | variable | default | meaning |
|---|---|---|---|
`

// Reference returns the page of all settings, in Markdown.
func Reference() string {
	var b strings.Builder
	b.WriteString(referenceIntro)
	for _, s := range new(Config).settings() {
		flag, defaultText := "--"+s.flag, ""
		if s.arg != "" {
			flag += " " + s.arg
		}
		if s.defaultText != "" {
			defaultText = "`" + s.defaultText + "`"
		}
		fmt.Fprintf(&b, "| `%s` | `%s` | %s | %s |\n", flag, Variable(s.flag), defaultText, s.help)
	}
	return b.String()
}
