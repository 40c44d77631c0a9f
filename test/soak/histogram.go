package main

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// A histogram counts durations in microseconds, in 32 buckets for each power of two, so that a
// percentile is right to 3 in 100. Its size does not depend on how many it counts.
type histogram [buckets]atomic.Uint64

const (
	bucketBits = 5
	perPower   = 1 << bucketBits
	buckets    = (32 - bucketBits) * perPower // up to more than an hour
)

func (h *histogram) add(d time.Duration) { h[bucketOf(uint64(max(d, 0).Microseconds()))].Add(1) }

// bucketOf returns v itself below perPower. Above, the highest bits of v say the bucket.
func bucketOf(v uint64) int {
	shift := max(bits.Len64(v)-bucketBits-1, 0)
	return min(shift*perPower+int(v>>shift), buckets-1)
}

// lowest returns the smallest value of a bucket.
func lowest(bucket int) uint64 {
	shift := max(bucket/perPower-1, 0)
	return uint64(bucket-shift*perPower) << shift
}

// counts are what a histogram had counted.
type counts [buckets]uint64

// take returns what was counted since the last call.
func (h *histogram) take() (c counts) {
	for i := range h {
		c[i] = h[i].Swap(0)
	}
	return c
}

func (c *counts) merge(other *counts) {
	for i := range c {
		c[i] += other[i]
	}
}

func (c *counts) total() (n uint64) {
	for _, in := range c {
		n += in
	}
	return n
}

// percentile returns the microseconds that so many in a hundred do not exceed, as the middle of
// their bucket; 0 if nothing was counted.
func (c *counts) percentile(percent uint64) float64 {
	total := c.total()
	rank, seen := (total*percent+99)/100, uint64(0)
	for i, in := range c {
		if seen += in; total > 0 && seen >= rank {
			return float64(lowest(i)+lowest(i+1)) / 2
		}
	}
	return 0
}
