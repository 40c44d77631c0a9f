package main

import "math"

// An axis is a range of values on a range of coordinates.
type axis struct {
	low, high float64
	from, to  float64
	log       bool
}

// newAxis returns an axis from zero that holds all values or, if it is logarithmic, one from the
// power of ten below them to the one above.
func newAxis(from, to float64, log bool, values ...float64) axis {
	a := axis{from: from, to: to, log: log, low: math.Inf(1), high: math.Inf(-1)}
	for _, v := range values {
		if v > 0 {
			a.low, a.high = min(a.low, v), max(a.high, v)
		}
	}
	if math.IsInf(a.low, 1) {
		a.low, a.high = 1, 10
	}
	if log {
		a.low = math.Pow(10, math.Floor(math.Log10(a.low)))
		a.high = math.Pow(10, math.Ceil(math.Log10(a.high)-1e-9))
		a.high = max(a.high, a.low*10)
		return a
	}
	step := a.step(0)
	a.low, a.high = 0, step*math.Ceil(a.high/step)
	return a
}

// step returns the distance of ticks: 1, 2 or 5 of a power of ten, so that there are about five.
func (a axis) step(low float64) float64 {
	step := math.Pow(10, math.Floor(math.Log10((a.high-low)/2)))
	for _, by := range []float64{1, 2, 5} {
		if (a.high-low)/(step*by) <= 6 {
			return step * by
		}
	}
	return step * 10
}

// at returns the coordinate of a value. What is below the axis is at its beginning.
func (a axis) at(v float64) float64 {
	low, high := a.low, a.high
	if a.log {
		v, low, high = math.Log10(max(v, low)), math.Log10(low), math.Log10(high)
	}
	return a.from + (max(v, low)-low)/(high-low)*(a.to-a.from)
}

func (a axis) ticks() (all []float64) {
	if !a.log {
		step := a.step(a.low)
		for v := a.low; v <= a.high*1.0001; v += step {
			all = append(all, v)
		}
		return all
	}
	for v := a.low; v <= a.high*1.0001; v *= 10 {
		all = append(all, v)
	}
	return all
}
