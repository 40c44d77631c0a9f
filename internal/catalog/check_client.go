package catalog

import (
	"slices"
	"strings"
)

func checkClient(at location, e Entry) {
	c := e.Client
	for i, b := range c.BaseURL {
		here := at.in("base_url[%d]", i)
		here.in("env").envNames(b.Env)
		oneOf(here.in("scheme"), b.Scheme,
			"any", "https_only", "https_except_loopback", "hostname_only")
		if b.Scheme == "hostname_only" {
			here.in("default").require(hostPattern.MatchString(b.Default), "must be a host name")
		} else {
			here.in("default").secureURL(e.sampleHost(b.Default))
		}
	}
	at.in("unset_env").envNames(c.UnsetEnv...)
	for _, m := range c.Modes {
		oneOf(at.in("modes"), m, "proxy_mitm", "inject_env", "gh_socket", "git_config")
	}
	for _, prefix := range c.Git {
		u := at.in("git").secureURL(prefix)
		at.in("git").require(u == nil || (e.attachesTo(u.Host) && strings.HasSuffix(u.Path, "/")),
			"must end in a slash, and its host must be in attach[].hosts")
	}
	at.in("git_user").require((c.GitUser == "") == (len(c.Git) == 0),
		"is required for git, and for nothing else")
	for _, host := range c.GH {
		at.in("gh").require(e.attachesTo(host), "%q is not in attach[].hosts", host)
	}
	if c.Placeholder != "" {
		checkPlaceholder(at.in("placeholder"), e)
	}
}

func checkPlaceholder(here location, e Entry) {
	c := e.Client
	here.template(c.Placeholder, "lease")
	head, ok := strings.CutSuffix(c.Placeholder, "{lease}")
	here.require(ok, "must end in {lease}")
	named := slices.DeleteFunc(e.formats(), func(f Format) bool { return f.Prefix == "" })
	shaped := slices.ContainsFunc(named, func(f Format) bool {
		return strings.HasPrefix(head, f.Prefix)
	})
	here.require(shaped || len(named) == 0,
		"must begin like a format of the entry, because some clients refuse anything else")
}
