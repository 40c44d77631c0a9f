package vault

// NewProvider returns the provider of that name. Invalid: the name is empty; a secret without a
// provider has none at all. Whether the catalog knows it is for the use case to say.
func NewProvider(name string) (string, error) {
	if name == "" {
		return "", invalid(Field{"provider", TooShort,
			"Provider must not be empty: leave it out for a custom secret"})
	}
	return name, nil
}
