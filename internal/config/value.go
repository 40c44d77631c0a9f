package config

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// A value writes one setting's text into its place in a [Config].
type value struct {
	target any // a pointer to the struct's field
}

// set parses text. A list grows by every call; within one, commas separate its members. The errors
// say what would be right, and the caller, which knows the name, what is at fault.
func (v value) set(text string) error {
	var err error
	switch p := v.target.(type) {
	case *string:
		*p = text
	case *bool:
		*p, err = parse(strconv.ParseBool, text, "must be true or false")
	case *int:
		*p, err = parse(strconv.Atoi, text, "must be a whole number")
	case *float64:
		*p, err = parse(parseFloat, text, "must be a number")
	case *time.Duration:
		*p, err = parse(time.ParseDuration, text, "must be a duration such as 15s or 2m")
	case *slog.Level:
		*p, err = parse(parseLevel, text, "must be debug, info, warn or error")
	case *[]MinClient:
		*p, err = grow(*p, text, parseMinClient)
	case *[]netip.Prefix:
		*p, err = grow(*p, text, parsePrefix)
	default:
		err = fmt.Errorf("%T is no type of a setting", p)
	}
	return err
}

func parse[T any](read func(string) (T, error), text, otherwise string) (T, error) {
	v, err := read(text)
	if err != nil {
		return v, errors.New(otherwise)
	}
	return v, nil
}

func grow[T any](list []T, text string, read func(string) (T, error)) ([]T, error) {
	for part := range strings.SplitSeq(text, ",") {
		v, err := read(strings.TrimSpace(part))
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, nil
}

func parseFloat(text string) (float64, error) { return strconv.ParseFloat(text, 64) }

func parseLevel(text string) (slog.Level, error) {
	switch text {
	case "debug":
		return slog.LevelDebug, nil
	case "info":
		return slog.LevelInfo, nil
	case "warn":
		return slog.LevelWarn, nil
	case "error":
		return slog.LevelError, nil
	}
	return 0, strconv.ErrSyntax
}

func parseMinClient(text string) (MinClient, error) {
	name, version, _ := strings.Cut(text, "=")
	if !isToken(name) || !versionPattern.MatchString(version) {
		return MinClient{}, fmt.Errorf("%q must be NAME=VERSION, such as keysake=1.2.0", text)
	}
	return MinClient{Name: name, Version: version}, nil
}

// parsePrefix takes a network, or an address for the network of that address alone.
func parsePrefix(text string) (netip.Prefix, error) {
	if p, err := netip.ParsePrefix(text); err == nil {
		return p.Masked(), nil
	}
	ip, err := netip.ParseAddr(text)
	if err != nil || ip.Zone() != "" {
		return netip.Prefix{}, fmt.Errorf(
			"%q must be an address or a network, such as 10.0.0.7 or 10.0.0.0/8",
			text,
		)
	}
	ip = ip.Unmap()
	return netip.PrefixFrom(ip, ip.BitLen()), nil
}
