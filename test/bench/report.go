package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"
)

// findings are everything that was measured.
type findings struct {
	settings settings
	rows     []*row

	secrets                int
	binary, idle, loaded   int64
	firstStart, laterStart time.Duration
	command                startup
}

// A row is one kind of work at one number of clients, or of updates in one commit.
type row struct {
	name    string
	clients int
	rounds  []sample
}

func (f *findings) row(name string, clients int) *row {
	for _, r := range f.rows {
		if r.name == name && r.clients == clients {
			return r
		}
	}
	r := &row{name: name, clients: clients}
	f.rows = append(f.rows, r)
	return r
}

func (f *findings) add(name string, clients int, s sample) {
	r := f.row(name, clients)
	r.rounds = append(r.rounds, s)
}

// requests returns how many requests of a kind were made.
func (f *findings) requests(name string) (n int) {
	for _, r := range f.rows {
		for _, s := range r.rounds {
			if r.name == name {
				n += s.requests
			}
		}
	}
	return n
}

// median returns the median of each figure over the rounds.
func (f *findings) median(name string, clients int) sample {
	rounds := f.row(name, clients).rounds
	if len(rounds) == 0 {
		return sample{}
	}
	return sample{
		rate: middle(rounds, func(s sample) float64 { return s.rate }),
		p50:  middle(rounds, func(s sample) time.Duration { return s.p50 }),
		p99:  middle(rounds, func(s sample) time.Duration { return s.p99 }),
		cpu:  middle(rounds, func(s sample) time.Duration { return s.cpu }),
	}
}

func middle[T cmp.Ordered](rounds []sample, of func(sample) T) T {
	all := make([]T, len(rounds))
	for i, s := range rounds {
		all[i] = of(s)
	}
	slices.Sort(all)
	return all[len(all)/2]
}

// print writes the tables.
func (f *findings) print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "work\tclients\ta second\tp50\tp99\tserver CPU\t")
	for _, r := range f.rows {
		if len(r.rounds) == 0 {
			continue
		}
		s := f.median(r.name, r.clients)
		clients, cpu := fmt.Sprint(r.clients), "–"
		if r.name == "SQLite" {
			clients = fmt.Sprintf("%d a commit", r.clients)
		}
		if s.cpu > 0 {
			cpu = micros(s.cpu)
		}
		fmt.Fprintf(
			w, "%s\t%s\t%.0f\t%s\t%s\t%s\t\n", r.name, clients, s.rate, micros(s.p50),
			micros(s.p99), cpu,
		)
	}
	fmt.Fprintln(w)
	fmt.Fprintln(w, "what counts\tgoal\there\t\t")
	for _, g := range f.goals() {
		met := "reached"
		if !g.met {
			met = "not yet"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t\n", g.what, g.goal, g.here, met)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(
		out,
		"\nmedians of %d rounds of %s; %d secrets of %d users at the end; "+
			"SQLite's p50 and p99 are those of a commit\n",
		f.settings.rounds, f.settings.time, f.secrets, f.settings.users,
	)
	return err
}

// A goal is one of the figures that the design asks for.
type goal struct {
	what, goal, here string
	met              bool
}

func (f *findings) goals() []goal {
	create64, create1 := f.median("create", 64), f.median("create", 1)
	one := f.median("SQLite", 1).p50 + f.median("net/http create", 1).p50
	list := f.median("list", 16).rate
	create16, while := f.median("create", rotatingClients), f.median(rotating, rotatingClients)
	leases, redeemed := f.median(leasing, leaseClients), f.median(redeeming, leaseClients)
	return []goal{
		perSecond("lease with a bundle of 5, 16 clients", 1500, leases.rate),
		below("lease with a bundle of 5, 16 clients, p99", 30*time.Millisecond, leases.p99),
		perSecond("redeem a ticket for 5, 16 clients", 1500, redeemed.rate),
		below("redeem a ticket for 5, 16 clients, p99", 30*time.Millisecond, redeemed.p99),
		atLeast(
			"create, 64 clients / SQLite, 64 a commit", 0.7,
			create64.rate/f.median("SQLite", 64).rate,
		),
		below("create, 64 clients, p99", 15*time.Millisecond, create64.p99),
		{
			"create, 1 client, p50 / (SQLite, 1 a commit + net/http)",
			"≤ 1.60",
			fmt.Sprintf("%.2f", float64(create1.p50)/float64(one)),
			float64(create1.p50) <= 1.6*float64(one),
		},
		atLeast(
			"read, 16 clients / net/http", 0.55,
			f.median("read", 16).rate/f.median("net/http read", 16).rate,
		),
		perSecond("list of 50, 16 clients", 10_000, list),
		{
			"create, 16 clients, p99 while the root key is rotated / p99",
			"< 3.00",
			fmt.Sprintf("%.2f", float64(while.p99)/float64(create16.p99)),
			while.p99 < 3*create16.p99,
		},
		below("start to first answer, empty", 150*time.Millisecond, f.firstStart),
		below(
			fmt.Sprintf("start to first answer, %d secrets", f.secrets), 150*time.Millisecond,
			f.laterStart,
		),
		below("run -- true, beyond true alone, median of 20", 25*time.Millisecond,
			f.command.run-f.command.alone),
		belowMB("memory, idle", 30, f.idle),
		belowMB("memory, after the load", 120, f.loaded),
		belowMB("binary, static, stripped", 45, f.binary),
	}
}

func atLeast(what string, least, here float64) goal {
	return goal{what, fmt.Sprintf("≥ %.2f", least), fmt.Sprintf("%.2f", here), here >= least}
}

func perSecond(what string, least, here float64) goal {
	return goal{what, fmt.Sprintf("≥ %.0f/s", least), fmt.Sprintf("%.0f/s", here), here >= least}
}

func below(what string, most, here time.Duration) goal {
	return goal{
		what, "< " + most.String(), here.Round(100 * time.Microsecond).String(), here < most,
	}
}

func belowMB(what string, most float64, here int64) goal {
	mb := float64(here) / 1e6
	return goal{
		what, fmt.Sprintf("< %.0f MB", most), fmt.Sprintf("%.1f MB", mb), here > 0 && mb < most,
	}
}

func micros(d time.Duration) string { return fmt.Sprintf("%d µs", d.Microseconds()) }
