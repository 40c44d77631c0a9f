package catalog

import "slices"

func checkFields(at place, e Entry) {
	values := 0
	var formatIDs []string
	for _, f := range e.Fields {
		here := at.in("fields[%s]", f.ID)
		here.in("id").id(f.ID)
		here.in("label").notEmpty(f.Label)
		here.in("max_length").
			require(
				f.MaxLength >= 0 && f.MaxLength <= maxExample, "must be from 0 to %d", maxExample,
			)
		if f.Secret && f.Required {
			values++
			here.in("env").envNames(f.Env)
		} else if f.Env != "" {
			here.in("env").envNames(f.Env)
		}
		here.in("env_aliases").envNames(f.EnvAliases...)
		for _, format := range f.Formats {
			checkFormat(here.in("formats[%s]", format.ID), e, format)
			formatIDs = append(formatIDs, format.ID)
		}
	}
	at.in("fields").
		require(
			values == 1,
			"exactly one must be secret and required, since a preset takes one value; here are %d",
			values,
		)
	distinctIDs(at.in("fields"), e.inputs()...)
	distinctIDs(at.in("fields[].formats"), formatIDs...)
}

func checkFormat(at place, e Entry, f Format) {
	at.in("id").id(f.ID)
	oneOf(at.in("checksum"), f.Checksum, "", checksumGitHub)
	for _, t := range f.Traits {
		oneOf(
			at.in("traits"), t, TraitAdmin, TraitRefresh, TraitShortLived, TraitPublishable,
			TraitOAuth, TraitLegacy, TraitNeverVerify,
		)
	}
	if f.Env != "" {
		at.in("env").envNames(f.Env)
	}
	at.in("env_aliases").envNames(f.EnvAliases...)
	if f.Auth != "" {
		checkRecipeExists(at.in("auth"), e, f.Auth)
	}
	at.in("mask").require(f.Mask.Head >= 0 && f.Mask.Tail >= 0, "must not be negative")
	at.in("examples").require(len(f.Examples) > 0, "must have one")
}

func checkParams(at place, e Entry) {
	for _, p := range e.Params {
		here := at.in("params[%s]", p.ID)
		here.in("id").id(p.ID)
		here.in("label").notEmpty(p.Label)
		if p.Env != "" {
			here.in("env").envNames(p.Env)
		}
		here.in("pattern").
			require(
				(p.Pattern == "") != (len(p.Enum) == 0),
				"exactly one of pattern and enum must be there",
			)
		pattern, _, err := compileWhole(p.Pattern)
		if err != nil {
			here.in("pattern").fault("%v", err)
			continue
		}
		if p.Default != "" {
			allowed := slices.Contains(p.Enum, p.Default) ||
				(p.Pattern != "" && pattern.MatchString(p.Default))
			here.in("default").require(allowed, "is not a value that the parameter may have")
		}
	}
}

// inputs returns the ids that a template may name: of the fields and of the params.
func (e Entry) inputs() []string {
	var ids []string
	for _, f := range e.Fields {
		ids = append(ids, f.ID)
	}
	return append(ids, e.paramIDs()...)
}

func (e Entry) paramIDs() []string {
	var ids []string
	for _, p := range e.Params {
		ids = append(ids, p.ID)
	}
	return ids
}

// formats returns all formats of all fields; their ids are unique in the entry.
func (e Entry) formats() []Format {
	var all []Format
	for _, f := range e.Fields {
		all = append(all, f.Formats...)
	}
	return all
}
