package attack_test

// blobs returns the columns of a row that hold bytes.
func blobs(r row) (columns []string) {
	for column, v := range r {
		if _, ok := v.([]byte); ok {
			columns = append(columns, column)
		}
	}
	return columns
}
