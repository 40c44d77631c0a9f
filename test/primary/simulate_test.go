package main

import (
	"math"
	"testing"
	"time"
)

func small() model {
	return model{
		cost: cost{processor: time.Millisecond, log: 5000}, rate: 2000, length: 5 * time.Second,
		users: 1_000_000, cores: 4, connections: 64, trip: 200 * time.Microsecond,
		flush: 500 * time.Microsecond, disk: 500e6,
	}
}

func TestCoresAreBusyForWhatRunsCost(t *testing.T) {
	f := small().simulate()
	if math.Abs(f.busy-0.5) > 0.03 || f.late != 0 {
		t.Errorf("4 cores are busy for %.2f of their time, late by %v", f.busy, f.late)
	}
	// three turns and a write of the log at least
	if atLeast := 3*200*time.Microsecond + 500*time.Microsecond; f.p50 < atLeast || f.p99 < f.p50 {
		t.Errorf("the times are %v and %v", f.p50, f.p99)
	}
}

func TestAPrimaryThatIsTooSmallIsLateByTheRest(t *testing.T) {
	m := small()
	m.cores = 1
	f := m.simulate()
	if got, want := f.late.Seconds(), 2.5; math.Abs(got-want) > 0.2 || f.busy < 0.98 {
		t.Errorf("a primary for half of the runs is late by %.2f s, not %.2f s", got, want)
	}
}

func TestRunsOfOneUserWaitForEachOther(t *testing.T) {
	m := small()
	m.users, m.processor = 1, time.Microsecond
	// two turns and a write of the log, one after the other
	each := 2*m.trip + m.flush
	want := m.length.Seconds() * (1 - 1/each.Seconds()/m.rate)
	if got := m.simulate().late.Seconds(); math.Abs(got-want) > 0.2 {
		t.Errorf("the runs of one user are late by %.2f s, not %.2f s", got, want)
	}
}

func TestADiskThatIsTooSlowHoldsUpEveryRun(t *testing.T) {
	m := small()
	m.disk = m.rate * m.log / 2
	if got, want := m.simulate().late.Seconds(), 2.5; math.Abs(got-want) > 0.2 {
		t.Errorf("a disk for half of the log makes runs late by %.2f s, not %.2f s", got, want)
	}
}
