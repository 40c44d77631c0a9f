// Package figures is what the benchmark found out, as the document that it writes beside its table:
// every sample of every round, so that other programs can draw and compare.
package figures

import "time"

// Version is that of the document. A change that an old reader would get wrong raises it.
const Version = 1

// A Run is one run of the benchmark.
type Run struct {
	Version  int           `json:"version"`
	At       time.Time     `json:"at"`
	Commit   string        `json:"commit"`  // empty if it is unknown
	Changed  bool          `json:"changed"` // there were changes that are not in the commit
	Machine  Machine       `json:"machine"`
	Settings Settings      `json:"settings"`
	Rows     []*Row        `json:"rows"`
	Starts   []Measurement `json:"starts_ms"`    // from a start to the first answer, milliseconds
	Memory   []Measurement `json:"memory_bytes"` // resident
	Sizes    []Measurement `json:"sizes_bytes"`  // of files
	Commands []Measurement `json:"commands_ms"`  // of the command line, milliseconds
	Goals    []Goal        `json:"goals"`
	Growth   []Size        `json:"growth"` // ascending; empty if it was not measured
}

// A Machine is where the benchmark ran.
type Machine struct {
	OS     string `json:"os"`
	Arch   string `json:"arch"`
	Kernel string `json:"kernel"`
	CPU    string `json:"cpu"`
	Cores  int    `json:"cores"`
	Go     string `json:"go"`
}

// Settings are how the benchmark ran.
type Settings struct {
	Rounds    int     `json:"rounds"`
	Seconds   float64 `json:"seconds"`         // of a measurement
	WarmUp    float64 `json:"warm_up_seconds"` // before each, not counted
	Users     int     `json:"users"`           // with a library
	Secrets   int     `json:"secrets"`         // at the beginning of every round
	FillTook  float64 `json:"fill_seconds"`
	DriveProc int     `json:"driver_threads"`
	Fewer     string  `json:"fewer,omitempty"` // what the machine allowed less of than was asked
}

// The sides that are measured in turn.
const (
	Keysake = "keysake"  // the real binary
	NetHTTP = "net/http" // a bare server that answers the same bytes
	SQLite  = "sqlite"   // bare transactions on a copy of the database
	Disk    = "disk"     // write and fsync of a block
	Bare    = "proxy"    // httputil.ReverseProxy, which passes on what it gets
	Direct  = "direct"   // the provider, without anything before it
)

// A Row is one kind of work of one side.
type Row struct {
	Side    string   `json:"side"`
	Work    string   `json:"work"`
	Clients int      `json:"clients"` // at once; of SQLite: how many creates share a commit
	Rounds  []Sample `json:"rounds"`
}

// A Sample is one measurement. Times are microseconds. The figures for a request are 0 where they
// are unknown.
type Sample struct {
	Requests  int     `json:"requests"` // that were counted
	PerSecond float64 `json:"per_second"`
	P50       float64 `json:"p50_us"` // of SQLite: of a commit
	P90       float64 `json:"p90_us"`
	P99       float64 `json:"p99_us"`
	Max       float64 `json:"max_us"`
	User      float64 `json:"user_us"`   // processor time of the server in its own code, a request
	System    float64 `json:"system_us"` // processor time of the server in the kernel, a request
	Driver    float64 `json:"driver_us"` // processor time of the driver, a request
	Mallocs   float64 `json:"mallocs"`   // allocations of the server, a request
	Allocated float64 `json:"allocated"` // bytes of them, a request
}

// A Measurement is one figure, in each round.
type Measurement struct {
	What   string    `json:"what"`
	Rounds []float64 `json:"rounds"`
}

// A Goal is what the design asks for, and what the run found.
type Goal struct {
	What    string  `json:"what"`
	Bound   float64 `json:"bound"`
	AtLeast bool    `json:"at_least"` // otherwise: at most
	Found   float64 `json:"found"`
	Unit    string  `json:"unit"` // "" for a ratio, "/s", "ms", "MB"
	Reached bool    `json:"reached"`
}

// A Size is what was measured with so many secrets stored.
type Size struct {
	Secrets  int     `json:"secrets"` // when the measurements began
	Users    int     `json:"users"`
	FillTook float64 `json:"fill_seconds"` // since the size before
	Database int64   `json:"database_bytes"`
	Start    float64 `json:"start_ms"` // from a start to the first answer
	Idle     int64   `json:"idle_bytes"`
	Loaded   int64   `json:"loaded_bytes"`
	Rows     []*Row  `json:"rows"`
}
