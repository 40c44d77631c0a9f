package cli

import (
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	columnGap = "  "
	narrowest = 16 // words are not broken anywhere to fit into less
)

// lines returns the rows in aligned columns of safe text. If they are wider than width, and that is
// not 0, the ids of a list are left out, because names do; where they do not, each id is on a line
// of its own. What is still too wide is wrapped within its column.
func (g grid) lines(width int) []string {
	rows := make(grid, len(g))
	for i, row := range g {
		for _, cell := range row {
			rows[i] = append(rows[i], escape(cell))
		}
	}
	var ids []string
	columns := rows.columns()
	if width > 0 && total(columns) > width && rows.endWithIDs() {
		rows, ids = rows.withoutIDs()
		columns = rows.columns()
	}
	for width > 0 && total(columns) > width && rows.narrow(columns) {
	}
	var lines []string
	for i, row := range rows {
		lines = append(lines, aligned(row, columns)...)
		if i > 0 && ids != nil {
			lines = append(lines, columnGap+ids[i])
		}
	}
	return lines
}

func total(columns []int) int {
	sum := len(columnGap) * (len(columns) - 1)
	for _, n := range columns {
		sum += n
	}
	return sum
}

// columns returns the widths of the columns.
func (g grid) columns() (columns []int) {
	for _, row := range g {
		for i, cell := range row {
			if i == len(columns) {
				columns = append(columns, 0)
			}
			columns[i] = max(columns[i], utf8.RuneCountInString(cell))
		}
	}
	return columns
}

func (g grid) endWithIDs() bool { return g.isList() && g[0][len(g[0])-1] == "ID" }

// withoutIDs returns a list without its column of ids, and the ids if its rows have no names, or
// two have the same.
func (g grid) withoutIDs() (rows grid, ids []string) {
	named := strings.HasSuffix(g[0][0], "NAME")
	seen := map[string]bool{"-": true}
	for _, row := range g {
		last := len(row) - 1
		rows, ids = append(rows, row[:last]), append(ids, row[last])
		named = named && !seen[row[0]]
		seen[row[0]] = true
	}
	if named {
		ids = nil
	}
	return rows, ids
}

// narrow makes the widest column narrower of those where wrapping does that, and reports whether
// there is one.
func (g grid) narrow(columns []int) bool {
	order := make([]int, len(columns))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return columns[j] - columns[i] })
	for _, i := range order {
		needed := 0
		for at, row := range g {
			if at == 0 && g.isList() {
				needed = utf8.RuneCountInString(row[i]) // a heading is not wrapped
				continue
			}
			for _, line := range wrapped(row[i], columns[i]-1) {
				needed = max(needed, utf8.RuneCountInString(line))
			}
		}
		if needed < columns[i] {
			columns[i] = needed
			return true
		}
	}
	return false
}

// aligned returns a row as lines, with cells that are wrapped to the widths of their columns.
func aligned(row []string, columns []int) (lines []string) {
	cells := make([][]string, len(row))
	height := 1
	for i, cell := range row {
		cells[i] = wrapped(cell, columns[i])
		height = max(height, len(cells[i]))
	}
	for at := range height {
		var line strings.Builder
		for i, cell := range cells {
			text := ""
			if at < len(cell) {
				text = cell[at]
			}
			line.WriteString(text)
			if i < len(cells)-1 {
				line.WriteString(strings.Repeat(" ", columns[i]-utf8.RuneCountInString(text)))
				line.WriteString(columnGap)
			}
		}
		lines = append(lines, strings.TrimRight(line.String(), " "))
	}
	return lines
}

// wrapped returns a cell as lines of this width. It breaks a text between words, a long word after
// a hyphen and the like, a very long one anywhere, and an id never.
func wrapped(cell string, width int) (lines []string) {
	line, columns := "", 0
	for _, word := range words(cell, width) {
		n := utf8.RuneCountInString(strings.TrimRight(word, " "))
		if columns > 0 && columns+n > width {
			lines, line, columns = append(lines, strings.TrimRight(line, " ")), "", 0
		}
		for n > width && width >= narrowest && !uuidPattern.MatchString(word) {
			head := string([]rune(word)[:width])
			lines, word = append(lines, head), word[len(head):]
			n = utf8.RuneCountInString(word)
		}
		line += word
		columns += utf8.RuneCountInString(word)
	}
	return append(lines, strings.TrimRight(line, " "))
}

// words splits a cell where it may be broken, so that no part is wider than this if that can be.
func words(cell string, width int) (all []string) {
	for _, word := range splitAfter(cell, " ,") {
		if utf8.RuneCountInString(word) > width && !uuidPattern.MatchString(word) {
			all = append(all, splitAfter(word, "_-/@")...)
		} else {
			all = append(all, word)
		}
	}
	return all
}

// splitAfter splits a text after each of these characters, but not within a date.
func splitAfter(text, breaks string) (parts []string) {
	begin := 0
	for i := range len(text) - 1 {
		isDate := text[i] == '-' && text[i+1] >= '0' && text[i+1] <= '9'
		if strings.IndexByte(breaks, text[i]) >= 0 && !isDate {
			parts, begin = append(parts, text[begin:i+1]), i+1
		}
	}
	return append(parts, text[begin:])
}
