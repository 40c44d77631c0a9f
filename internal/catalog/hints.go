package catalog

// Hints returns what is worth telling the user, one line each, the most useful first; none where
// the value looks as it should. No line has any part of the value in it, and none is an error.
func (r Recognition) Hints() []string {
	var hints []string
	for _, p := range r.Paste {
		hints = append(hints, p.hint())
	}
	switch {
	case r.WrongPreset() && r.Chosen.ID == "":
		hints = append(
			hints, "This looks like a key from "+r.Matched.Name+", for which there is a preset.",
		)
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
		hints = append(
			hints,
			"This has no form that we know of a key from "+r.Chosen.Name+". That can be right: forms change.",
		)
	}
	return hints
}

// ownHints are about a key of the provider that was chosen.
func (r Recognition) ownHints() []string {
	var hints []string
	for _, t := range r.Traits {
		if h := t.hint(); h != "" {
			hints = append(hints, h)
		}
	}
	if r.EnvVarName != r.Chosen.EnvVarName {
		hints = append(
			hints,
			"Programs read this kind of key from "+r.EnvVarName+", not from "+r.Chosen.EnvVarName+".",
		)
	}
	return hints
}

// hint is empty for the traits that are no surprise to whoever has such a key.
func (t Trait) hint() string {
	switch t {
	case TraitAdmin:
		return "This looks like an admin key: it manages an organisation, and most programs need an ordinary key."
	case TraitRefresh:
		return "This looks like a refresh token: programs need the token that it is exchanged for."
	case TraitShortLived:
		return "This looks like a short-lived token: it stops working by itself, soon."
	case TraitPublishable:
		return "This looks like a publishable key: most programs need the secret key that belongs to it."
	case TraitOAuth, TraitLegacy, TraitNeverVerify:
	}
	return ""
}

func (p Paste) hint() string {
	switch p {
	case PasteNewline:
		return "There is a line break in the value, which no provider's key has."
	case PasteSpace:
		return "There is white space around the value, which no provider's key has."
	case PasteAssignment:
		return "This looks like a whole assignment: the key is what follows the equals sign."
	case PasteQuotes:
		return "There is a quotation mark around the value, which is part of no provider's key."
	case PasteBearer:
		return `The value begins with "Bearer": the key is what follows it.`
	}
	return ""
}
