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
		oneOf(at.in("modes"), m, "proxy_mitm", "inject_env")
	}
	if c.Placeholder == "" {
		return
	}
	here := at.in("placeholder")
	here.template(c.Placeholder, "lease")
	head, _, ok := strings.Cut(c.Placeholder, "{lease}")
	here.require(ok, "must contain {lease}")
	shaped := slices.ContainsFunc(e.formats(), func(f Format) bool {
		return f.Prefix != "" && strings.HasPrefix(head, f.Prefix)
	})
	here.require(shaped,
		"must begin like a format of the entry, because some clients refuse anything else")
}
