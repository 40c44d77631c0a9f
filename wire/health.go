package wire

// Health is the answer to GET /health.
type Health struct {
	Status string `json:"status"` // "ok"
}
