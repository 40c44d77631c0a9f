package backup

import (
	"encoding/base64"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// appendRow appends the line of a row. Its error may quote the row.
func appendRow(b []byte, table string, r Row) ([]byte, error) {
	line, err := json.Marshal(append([]any{table}, r...))
	return append(append(b, line...), '\n'), err
}

// parseRow returns the row of a line: false if it is not a row of that table.
func parseRow(line []byte, t Table) (Row, bool) {
	var values []jsontext.Value
	if json.Unmarshal(line, &values) != nil || len(values) != len(t.Columns)+1 {
		return nil, false
	}
	name, err := jsontext.AppendUnquote(nil, values[0])
	if err != nil || string(name) != t.Name {
		return nil, false
	}
	r := make(Row, len(t.Columns))
	for i, value := range values[1:] {
		ok := false
		if r[i], ok = parseValue(value, t.Columns[i].Kind); !ok {
			return nil, false
		}
	}
	return r, true
}

func parseValue(value jsontext.Value, kind Kind) (any, bool) {
	if value.Kind() == 'n' {
		return nil, true
	}
	if kind == Integer {
		n, err := strconv.ParseInt(string(value), 10, 64)
		return n, err == nil
	}
	text, err := jsontext.AppendUnquote(nil, value)
	if err != nil {
		return nil, false
	}
	if kind == Text {
		return string(text), true
	}
	blob := make([]byte, base64.StdEncoding.DecodedLen(len(text)))
	n, err := base64.StdEncoding.Strict().Decode(blob, text)
	// Decode skips line breaks: with them the text is longer than it has to be
	return blob[:n], err == nil && len(text) == base64.StdEncoding.EncodedLen(n)
}
