package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

// parseSizes reads numbers of secrets that are separated by commas, in ascending order.
func parseSizes(text string) (sizes []int, err error) {
	for word := range strings.SplitSeq(text, ",") {
		n, err := strconv.Atoi(word)
		if err != nil || n < 1 || len(sizes) > 0 && n <= sizes[len(sizes)-1] {
			return nil, fmt.Errorf("%q is no ascending list of numbers", text)
		}
		sizes = append(sizes, n)
	}
	return sizes, nil
}

func (b *bench) measureGrowth(context.Context) error { return nil }
