package main

import (
	"math"
	"testing"
	"time"
)

func TestAPercentileIsRightToThreeInAHundred(t *testing.T) {
	for _, unit := range []time.Duration{time.Microsecond, time.Millisecond, time.Second} {
		var h histogram
		for i := range 1000 {
			h.add(time.Duration(i+1) * unit)
		}
		c := h.take()
		for percent, want := range map[uint64]float64{50: 500, 99: 990, 100: 1000} {
			want *= float64(unit.Microseconds())
			if got := c.percentile(percent); math.Abs(got-want) > 0.03*want {
				t.Errorf("percentile %d of 1 to 1000 × %v: %v, want %v", percent, unit, got, want)
			}
		}
		if empty := h.take(); empty.total() != 0 || empty.percentile(99) != 0 {
			t.Error("what was taken is counted again")
		}
	}
}

func TestBucketsFollowEachOther(t *testing.T) {
	for i := range buckets - 1 {
		if got := bucketOf(lowest(i)); got != i {
			t.Fatalf("the smallest value of bucket %d is in bucket %d", i, got)
		}
		if got := bucketOf(lowest(i+1) - 1); got != i {
			t.Fatalf("the largest value of bucket %d is in bucket %d", i, got)
		}
	}
}

func TestATrendIsTheSlopeOfALine(t *testing.T) {
	at, seen := []float64{0, 10, 20, 30}, []float64{100, 110, 120, 130}
	if got := slope(at, seen); math.Abs(got-1) > 1e-9 {
		t.Errorf("slope %v, want 1", got)
	}
	if got := slope(at[:1], seen[:1]); got != 0 {
		t.Errorf("slope %v of one point", got)
	}
}
