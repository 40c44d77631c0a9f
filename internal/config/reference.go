package config

import (
	"fmt"
	"strings"
)

const referenceIntro = `# Settings

What ` + "`keysake serve`" + ` can be told. A flag wins over its variable, and a variable over the default; an empty variable counts as none. A list
takes commas, or its flag more than once.

This page is printed by ` + "`keysake docs settings`" + `.

| flag | variable | default | meaning |
|---|---|---|---|
`

// Reference returns the page of all settings, in Markdown.
func Reference() string {
	var b strings.Builder
	b.WriteString(referenceIntro)
	for _, f := range New().fields {
		flag, preset := "--"+f.flag, ""
		if f.arg != "" {
			flag += " " + f.arg
		}
		if f.preset != "" {
			preset = "`" + f.preset + "`"
		}
		fmt.Fprintf(&b, "| `%s` | `%s` | %s | %s |\n", flag, Variable(f.flag), preset, f.help)
	}
	return b.String()
}
