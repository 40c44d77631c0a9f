package vault

// MaxValueBytes is how long the value of a secret may be.
const MaxValueBytes = 64 << 10

// What a name, a text or a list may be at most. Names and texts are measured in characters, email
// addresses in bytes.
const (
	maxName     = 128
	maxUsername = 64
	maxEmail    = 254 // RFC 5321, section 4.5.3.1.3, less the angle brackets
	maxKeyName  = 128
	maxScopes   = 16
	maxVersions = 100
	maxRunText  = 128
)

// Limits say how much a user may keep. The zero Limits allow no secret.
type Limits struct {
	secrets  int
	versions int
}

// NewLimits returns the limits of secrets for each user, and of versions for each secret, the
// current version included. Invalid: no secret or version at all, or more than 100 versions.
func NewLimits(secrets, versions int) (Limits, error) {
	var few, many error
	if secrets < 1 {
		few = invalid(Field{"secrets", TooSmall, "Secrets must be at least 1"})
	}
	if versions < 1 || versions > maxVersions {
		many = invalid(Field{"versions", GoodValue, "Versions must be between 1 and 100"})
	}
	if err := JoinInvalid(few, many); err != nil {
		return Limits{}, err
	}
	return Limits{secrets, versions}, nil
}
