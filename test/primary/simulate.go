package main

import (
	"container/heap"
	"math/rand/v2"
	"slices"
	"time"
)

// A model is a primary and its load. Each run is one transaction in three turns on the network: it
// begins and locks the user's ledger, writes, and commits. It has a connection all the time, a core
// for a third of its cost in each turn, and at the end waits for the log, which takes the commits
// that gather meanwhile together.
type model struct {
	cost

	rate        float64 // of runs that start, a second
	length      time.Duration
	users       int
	cores       int
	connections int
	trip        time.Duration // on the network, there and back
	flush       time.Duration // until the disk has a block of the log
	disk        float64       // bytes of log that it takes in a second
}

// A found is what became of the runs.
type found struct {
	busy     float64       // part of the cores' time
	p50, p99 time.Duration // of the runs that ended
	waiting  int           // the most that had no connection
	late     time.Duration // how long ago the oldest of those without one has started, at the end
}

// A queue is for something that so many may have at once.
type queue struct {
	free    int
	waiting []func()
}

func (q *queue) take(then func()) {
	if q.free == 0 {
		q.waiting = append(q.waiting, then)
		return
	}
	q.free--
	then()
}

func (q *queue) give() {
	if len(q.waiting) == 0 {
		q.free++
		return
	}
	next := q.waiting[0]
	q.waiting = q.waiting[1:]
	next()
}

// An event is what happens at a time.
type event struct {
	at time.Duration
	do func()
}

// events are a heap: the next one is first.
type events []event

func (e events) Len() int           { return len(e) }
func (e events) Less(i, j int) bool { return e[i].at < e[j].at }
func (e events) Swap(i, j int)      { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)        { *e = append(*e, x.(event)) } //nolint:forcetypeassert // it is
func (e *events) Pop() any {
	last := (*e)[len(*e)-1]
	*e = (*e)[:len(*e)-1]
	return last
}

// A simulation is a primary at a moment.
type simulation struct {
	model

	now                time.Duration
	next               events
	random             *rand.Rand
	cores, connections queue
	ledgers            map[int]*queue
	begun              int // runs that got a connection
	started            []time.Duration
	commits            []func() // that wait for the log
	writing            bool
	worked             time.Duration
	took               []time.Duration
	waiting            int
}

func (m model) simulate() found {
	s := &simulation{
		model: m, ledgers: map[int]*queue{},
		random: rand.New(rand.NewPCG(1, 2)), //nolint:gosec // it is for a simulation
		cores:  queue{free: m.cores}, connections: queue{free: m.connections},
	}
	s.arrive()
	for s.next[0].at < m.length {
		e := heap.Pop(&s.next).(event) //nolint:forcetypeassert // it is
		s.now = e.at
		e.do()
	}
	slices.Sort(s.took)
	part := func(p int) time.Duration {
		return s.took[len(s.took)*p/100].Round(100 * time.Microsecond)
	}
	f := found{
		busy: s.worked.Seconds() / float64(m.cores) / m.length.Seconds(),
		p50:  part(50), p99: part(99), waiting: s.waiting,
	}
	if s.begun < len(s.started) {
		f.late = (m.length - s.started[s.begun]).Round(time.Millisecond)
	}
	return f
}

func (s *simulation) after(d time.Duration, do func()) {
	heap.Push(&s.next, event{s.now + d, do})
}

// about returns a time that is d in the mean.
func (s *simulation) about(d time.Duration) time.Duration {
	return time.Duration(s.random.ExpFloat64() * float64(d))
}

// arrive starts a run, and sees to the next.
func (s *simulation) arrive() {
	s.after(s.about(time.Duration(float64(time.Second)/s.rate)), s.arrive)
	began := s.now
	s.started = append(s.started, began)
	user := s.random.IntN(s.users)
	ledger := s.ledgers[user]
	if ledger == nil {
		ledger = &queue{free: 1}
		s.ledgers[user] = ledger
	}
	s.connections.take(func() {
		s.begun++
		s.turn(func() {
			ledger.take(func() {
				s.turn(func() {
					s.turn(func() {
						s.commit(func() {
							ledger.give()
							s.took = append(s.took, s.now-began)
							s.connections.give()
						})
					})
				})
			})
		})
	})
	s.waiting = max(s.waiting, len(s.connections.waiting))
}

// turn is one on the network, and what a core has to do in it.
func (s *simulation) turn(then func()) {
	s.after(s.trip, func() {
		s.cores.take(func() {
			work := s.about(s.processor / 3)
			s.worked += work
			s.after(work, func() {
				s.cores.give()
				then()
			})
		})
	})
}

// commit waits until the disk has the log.
func (s *simulation) commit(then func()) {
	s.commits = append(s.commits, then)
	if !s.writing {
		s.write()
	}
}

// write writes what has gathered, and then what came meanwhile.
func (s *simulation) write() {
	together := s.commits
	s.commits, s.writing = nil, len(together) > 0
	if !s.writing {
		return
	}
	bytes := float64(len(together)) * s.log
	s.after(s.flush+time.Duration(bytes/s.disk*float64(time.Second)), func() {
		for _, done := range together {
			done()
		}
		s.write()
	})
}
