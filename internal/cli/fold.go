package cli

import (
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"
)

// fold wraps the texts of a tree of commands where a terminal of [helpWidth] columns would.
func fold(cmd *cobra.Command) {
	cmd.Long = foldText(cmd.Long)
	for _, sub := range cmd.Commands() {
		fold(sub)
	}
}

// foldText fills paragraphs that have a line that is too long. An indented line stays a line of its
// own, and what it is wrapped to is indented as well.
func foldText(text string) string {
	paragraphs := strings.Split(strings.ReplaceAll(text, "\t", "  "), "\n\n")
	for i, p := range paragraphs {
		if longest(p) > helpWidth {
			paragraphs[i] = fill(p)
		}
	}
	return strings.Join(paragraphs, "\n\n")
}

func longest(text string) (columns int) {
	for line := range strings.SplitSeq(text, "\n") {
		columns = max(columns, utf8.RuneCountInString(line))
	}
	return columns
}

func fill(paragraph string) string {
	var out strings.Builder
	column, indent := 0, ""
	for i, line := range strings.Split(paragraph, "\n") {
		text := strings.TrimLeft(line, " ")
		own := line[:len(line)-len(text)]
		if i > 0 && (own != "" || indent != "") { // a list, or what follows it
			out.WriteByte('\n')
			column = 0
		}
		indent = own
		if own != "" && utf8.RuneCountInString(line) <= helpWidth {
			out.WriteString(line)
			column = utf8.RuneCountInString(line)
			continue
		}
		for word := range strings.SplitSeq(text, " ") {
			width := utf8.RuneCountInString(word)
			switch {
			case column == 0:
				out.WriteString(own)
				column = len(own)
			case column+1+width > helpWidth:
				out.WriteString("\n" + own)
				if own != "" {
					out.WriteString("   ")
				}
				column = len(own) + 3*min(len(own), 1)
			default:
				out.WriteByte(' ')
				column++
			}
			out.WriteString(word)
			column += width
		}
	}
	return out.String()
}
