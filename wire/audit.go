package wire

// An AuditEntry says what was done, by whom, and to what. It never has anything of a value.
type AuditEntry struct {
	Seq        int64            `json:"seq"`  // in its chain, from 1 without a gap
	Hash       string           `json:"hash"` // of the hash before and this entry, in hexadecimal
	Owner      string           `json:"owner"`
	At         Time             `json:"at"`
	UserID     *string          `json:"user_id"` // who did it; null for the operator
	Credential *AuditCredential `json:"credential"`
	OnBehalfOf *string          `json:"on_behalf_of"` // null where it was the user's own doing
	Client     *string          `json:"client"`       // the client's address
	Action     string           `json:"action"`       // such as secret.create
	Outcome    string           `json:"outcome"`      // done or refused
	Target     *AuditTarget     `json:"target"`
	LeaseID    *string          `json:"lease_id"`
	Run        *string          `json:"run"`
	// Names are there where a user acted for another; the hash is not of them.
	Names *AuditNames `json:"names,omitempty"`
}

// AuditNames are the names of who acted for another user and of that one, as far as the server
// knows them now. They are not part of what the hash is of.
type AuditNames struct {
	Username    *string `json:"username"`
	ForUsername *string `json:"for_username"`
}

// An AuditCredential is what the caller presented.
type AuditCredential struct {
	Kind string  `json:"kind"` // such as api-key
	ID   *string `json:"id"`
}

// An AuditTarget is what the action was done to, as it was then.
type AuditTarget struct {
	Kind    string  `json:"kind"` // such as secret
	ID      *string `json:"id"`
	Name    *string `json:"name"`
	Version *int64  `json:"version"` // of a secret; a number, where the kind says so
}

// An AuditHead is a place in an audit chain. At the beginning the number is 0 and the hash zeros.
type AuditHead struct {
	Seq  int64  `json:"seq"`
	Hash string `json:"hash"`
}

// AuditPage is the answer to GET /user/audit and GET /admin/audit, newest first.
type AuditPage struct {
	Chain    string       `json:"chain"` // UUID of the user, or of the instance
	Head     AuditHead    `json:"head"`  // the end of the chain
	Cut      AuditHead    `json:"cut"`   // up to which the beginning was removed
	Entries  []AuditEntry `json:"entries"`
	Complete bool         `json:"complete"` // no filter left out anything between two entries
	Next     *string      `json:"next"`     // the cursor of the next page; null for the last
}
