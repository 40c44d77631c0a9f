package catalog

import (
	"slices"
	"strings"
)

func checkFields(at location, e Entry) {
	values := 0
	var formatIDs []string
	for _, f := range e.Fields {
		here := at.in("fields[%s]", f.ID)
		here.in("id").id(f.ID)
		here.in("label").notEmpty(f.Label)
		here.in("max_length").require(f.MaxLength >= 0 && f.MaxLength <= maxExample,
			"must be from 0 to %d", maxExample)
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
	at.in("fields").require(values == 1,
		"exactly one must be secret and required, because a secret has one value; there are %d",
		values)
	distinctIDs(at.in("fields"), e.inputs()...)
	distinctIDs(at.in("fields[].formats"), formatIDs...)
}

func checkFormat(at location, e Entry, f Format) {
	at.in("id").id(f.ID)
	if _, literal, err := compileWhole(f.Regex); err != nil {
		at.in("regex").report("%v", err)
	} else {
		at.in("prefix").require(strings.HasPrefix(literal, f.Prefix),
			"the regex allows keys that do not begin with it")
	}
	oneOf(at.in("checksum"), f.Checksum, "", checksumGitHub)
	for _, t := range f.Traits {
		oneOf(at.in("traits"), t, TraitAdmin, TraitRefresh, TraitShortLived, TraitPublishable,
			TraitOAuth, TraitLegacy, TraitNeverVerify)
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

func checkParams(at location, e Entry) {
	for _, p := range e.Params {
		here := at.in("params[%s]", p.ID)
		here.in("id").id(p.ID)
		here.in("label").notEmpty(p.Label)
		if p.Env != "" {
			here.in("env").envNames(p.Env)
		}
		here.in("pattern").require((p.Pattern == "") != (len(p.Enum) == 0),
			"exactly one of pattern and enum is required")
		pattern, _, err := compileWhole(p.Pattern)
		if err != nil {
			here.in("pattern").report("%v", err)
			continue
		}
		if p.Default != "" {
			allowed := slices.Contains(p.Enum, p.Default) ||
				(p.Pattern != "" && pattern.MatchString(p.Default))
			here.in("default").require(allowed, "is not a possible value of the parameter")
		}
	}
}

// inputs returns the ids of the fields and params, which a template may use.
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

// formats returns the formats of all fields. Their ids are unique in the entry.
func (e Entry) formats() []Format {
	var all []Format
	for _, f := range e.Fields {
		all = append(all, f.Formats...)
	}
	return all
}
