package config

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

// parse sets the field that the setting describes. For a list it appends the values, which commas
// separate. An error says what would be accepted; the caller adds the name of the setting.
func (s setting) parse(text string) error {
	var err error
	switch p := s.target.(type) {
	case *string:
		*p = text
	case *bool:
		*p, err = parseAs(strconv.ParseBool, text, "must be true or false")
	case *int:
		*p, err = parseAs(strconv.Atoi, text, "must be a whole number")
	case *float64:
		*p, err = parseAs(parseFloat, text, "must be a number")
	case *time.Duration:
		*p, err = parseAs(time.ParseDuration, text, "must be a duration such as 15s or 2m")
	case *slog.Level:
		*p, err = parseAs(parseLevel, text, "must be debug, info, warn or error")
	case *[]string:
		*p = append(*p, text)
	case *[]uuid.UUID:
		var id uuid.UUID
		id, err = parseAs(uuid.Parse, text, "must be the id of a key")
		*p = append(*p, id)
	case *[]MinClient:
		*p, err = appendParsed(*p, text, parseMinClient)
	case *[]Egress:
		*p, err = appendParsed(*p, text, parseEgress)
	case *[]Claim:
		*p, err = appendParsed(*p, text, parseClaim)
	case *[]netip.Prefix:
		*p, err = appendParsed(*p, text, parsePrefix)
	default:
		err = fmt.Errorf("a setting cannot have the type %T", p)
	}
	return err
}

// parseVariable parses the text of a variable, in which spaces separate the keys of a list.
func (s setting) parseVariable(text string) error {
	switch s.target.(type) {
	case *[]string, *[]uuid.UUID:
		for _, part := range strings.Fields(text) {
			if err := s.parse(part); err != nil {
				return err
			}
		}
		return nil
	}
	return s.parse(text)
}

func parseAs[T any](parse func(string) (T, error), text, message string) (T, error) {
	v, err := parse(text)
	if err != nil {
		return v, errors.New(message)
	}
	return v, nil
}

func appendParsed[T any](list []T, text string, parse func(string) (T, error)) ([]T, error) {
	for part := range strings.SplitSeq(text, ",") {
		v, err := parse(strings.TrimSpace(part))
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
	if !tokenPattern.MatchString(name) || !versionPattern.MatchString(version) {
		return MinClient{}, fmt.Errorf("%q must be NAME=VERSION, such as keysake=1.2.0", text)
	}
	return MinClient{Name: name, Version: version}, nil
}

// parsePrefix parses a network, or an address as the network of that address alone.
func parsePrefix(text string) (netip.Prefix, error) {
	if p, err := netip.ParsePrefix(text); err == nil {
		return p.Masked(), nil
	}
	ip, err := netip.ParseAddr(text)
	if err != nil || ip.Zone() != "" {
		return netip.Prefix{}, fmt.Errorf(
			"%q must be an address or a network, such as 10.0.0.7 or 10.0.0.0/8", text)
	}
	ip = ip.Unmap()
	return netip.PrefixFrom(ip, ip.BitLen()), nil
}
