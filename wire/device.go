package wire

// StartDeviceLogin is the body of POST /auth/device/code. It may be left out.
type StartDeviceLogin struct {
	// Name is what the program calls itself: the user is shown it.
	Name *string `json:"name,omitempty"`
	// AllowedScopes: null means those of a new API key, and keys:write.
	AllowedScopes *[]string `json:"allowed_scopes,omitempty"`
}

// A DeviceLogin is a program that waits to be let in.
type DeviceLogin struct {
	ID              string  `json:"id"` // UUID
	DeviceCode      string  `json:"device_code"`
	UserCode        string  `json:"user_code"`
	VerificationURL string  `json:"verification_url"`
	ExpiresAt       Time    `json:"expires_at"`
	ExpiresIn       int64   `json:"expires_in"` // seconds
	Completed       bool    `json:"completed"`
	UserID          *string `json:"user_id"`     // of who has confirmed it; null while it waits
	GroupToken      *string `json:"group_token"` // null
}

// FetchDeviceLogin is the body of POST /auth/device/token.
type FetchDeviceLogin struct {
	DeviceCode string `json:"device_code" required:"true"`
}

// A DeviceToken is the API key that a program gets.
type DeviceToken struct {
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token"` // empty: an API key is not refreshed
}
