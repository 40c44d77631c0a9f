package sqlite

// A row has the values of one row as the driver returns them: int64, string, []byte or nil.
type row struct{ values, into []any }

func newRow(columns int) *row {
	r := &row{values: make([]any, columns), into: make([]any, columns)}
	for i := range r.into {
		r.into[i] = &r.values[i]
	}
	return r
}

// IsNull implements [store.Row].
func (r *row) IsNull(column int) bool { return r.values[column] == nil }

// Int implements [store.Row].
func (r *row) Int(column int) int64 {
	n, _ := r.values[column].(int64)
	return n
}

// Text implements [store.Row].
func (r *row) Text(column int) string {
	text, _ := r.values[column].(string)
	return text
}

// Bytes implements [store.Row].
func (r *row) Bytes(column int) []byte {
	bytes, _ := r.values[column].([]byte)
	return bytes
}
