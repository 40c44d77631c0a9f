package catalog

// Hints returns remarks for the user, one line each, the most useful first. None of them is an
// error, and none has any part of the value in it.
func (r Recognition) Hints() []string {
	var hints []string
	for _, p := range r.Paste {
		hints = append(hints, p.hint())
	}
	switch {
	case r.WrongPreset() && r.Chosen.ID == "":
		hints = append(hints,
			"This looks like a key from "+r.Matched.Name+", for which there is a preset.")
	case r.WrongPreset():
		hints = append(hints, "This looks like a key from "+r.Matched.Name+
			". Save it under "+r.Matched.Name+", or keep it under "+r.Chosen.Name+".")
	case r.Matched.ID != "":
		hints = append(hints, r.ownHints()...)
	}
	switch {
	case r.CutOff:
		hints = append(hints, "This may be cut off: the end of the key is missing or was changed.")
	case r.Matched.ID == "" && r.Chosen.ID != "":
		hints = append(hints, "This does not look like the keys from "+r.Chosen.Name+
			" that we know. It may still be right: their forms change.")
	}
	return hints
}

// ownHints returns the hints about a key of the chosen provider.
func (r Recognition) ownHints() []string {
	var hints []string
	for _, t := range r.Traits {
		if h := t.hint(); h != "" {
			hints = append(hints, h)
		}
	}
	if r.EnvVarName != r.Chosen.EnvVarName {
		hints = append(hints, "Programs read this kind of key from "+r.EnvVarName+
			", not from "+r.Chosen.EnvVarName+".")
	}
	return hints
}

// hint returns a hint, or nothing for a trait that does not surprise the owner of such a key.
func (t Trait) hint() string {
	switch t {
	case TraitAdmin:
		return "This looks like an admin key: it manages an organisation. " +
			"Most programs need an ordinary key."
	case TraitRefresh:
		return "This looks like a refresh token: programs need the token that it is exchanged for."
	case TraitShortLived:
		return "This looks like a short-lived token: it expires soon."
	case TraitPublishable:
		return "This looks like a publishable key: " +
			"most programs need the secret key that belongs to it."
	case TraitOAuth, TraitLegacy, TraitNeverVerify:
	}
	return ""
}

func (p Paste) hint() string {
	switch p {
	case PasteMark:
		return "The value begins with a byte order mark, which an editor has put there: " +
			"save it without."
	case PasteNewline:
		return "There is a line break in the value, which no provider's key has."
	case PasteSpace:
		return "There is white space around the value, which no provider's key has."
	case PasteAssignment:
		return "This looks like a whole assignment: the key is what follows the equals sign."
	case PasteQuotes:
		return "There are quotation marks around the value, which no provider's key has."
	case PasteBearer:
		return `The value begins with "Bearer": the key is what follows it.`
	}
	return ""
}
