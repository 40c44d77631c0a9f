package wire

// A Version is one value of a secret, without the value.
type Version struct {
	Number      int64  `json:"number"`     // from 1; never used twice
	CreatedAt   Time   `json:"created_at"` // when it became the current one
	MaskedValue string `json:"masked_value"`
	Current     bool   `json:"current"` // the one that the secret has now
}

// VersionList is the answer to GET /user/secrets/{secret_id}/versions, newest first, which is the
// current one.
type VersionList struct {
	Versions []Version `json:"versions"`
	Total    int       `json:"total"`
}

// RollbackSecret is the body of POST /user/secrets/{secret_id}/rollback.
type RollbackSecret struct {
	Version int64 `json:"version" required:"true"`
}
