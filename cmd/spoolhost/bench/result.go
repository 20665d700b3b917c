package bench

import (
	"runtime"
	"time"

	"github.com/spoolhost/spoolhost/cmd/spoolhost/bench/procs"
)

// Result is what a run found. Times are in seconds, sizes in bytes.
type Result struct {
	Label       string    `json:"label,omitempty"`
	Target      string    `json:"target"`
	Work        string    `json:"work"`
	Began       time.Time `json:"began"`
	Seconds     float64   `json:"seconds"` // from the first submission to the last byte at a sink, or the last accept
	Interrupted bool      `json:"interrupted"`
	Counts      Counts    `json:"counts"`
	Refusals    []Refusal `json:"refusals,omitempty"`

	// AcceptedRate and DeliveredRate are documents a second, ByteRate bytes a second at the sinks.
	AcceptedRate  float64 `json:"accepted_per_second"`
	DeliveredRate float64 `json:"delivered_per_second"`
	ByteRate      float64 `json:"bytes_per_second"`
	// Accept is from when a document was due to the server's word; FirstByte and EndToEnd to the
	// first and the last byte at a sink.
	Accept    Latency `json:"accept"`
	FirstByte Latency `json:"first_byte"`
	EndToEnd  Latency `json:"end_to_end"`

	Server  *Server  `json:"server,omitempty"`
	Machine Machine  `json:"machine"`
	Series  []Sample `json:"series"`
}

// Server is what the run cost the server's processes.
type Server struct {
	Pid int `json:"pid"`
	// CPU and CPUPerDocument are seconds of processor time of the whole tree of processes.
	CPU            float64 `json:"cpu_seconds"`
	CPUPerDocument float64 `json:"cpu_seconds_per_document"`
	// Before is what it used before the run, Peak the most of each figure seen at one moment.
	Before procs.Usage `json:"before"`
	Peak   procs.Usage `json:"peak"`
}

// Machine is where the load generator ran.
type Machine struct {
	System     string  `json:"system"`
	CPUs       int     `json:"cpus"`
	LoadBefore float64 `json:"load_before"`
	LoadAfter  float64 `json:"load_after"`
}

func newMachine() Machine {
	return Machine{System: runtime.GOOS + "/" + runtime.GOARCH, CPUs: runtime.NumCPU(), LoadBefore: procs.Load()}
}

// result adds everything up, when nothing changes any more.
func (r *run) result() *Result {
	l := r.ledger
	l.mu.Lock()
	count, times, bytes := l.count, l.times, l.bytes
	missing := l.open
	l.mu.Unlock()
	count.Unsent = r.unsent
	interrupted := r.ctx.Err() != nil
	if interrupted || r.sinks == nil {
		count.Pending = missing
	} else {
		count.Lost = missing
	}
	res := &Result{
		Label: r.plan.Label, Target: r.target.Name(), Work: r.plan.Work(), Began: r.began, Interrupted: interrupted,
		Seconds: max(times.lastAccept, times.lastArrival).Seconds(),
		Counts:  count, Refusals: l.refused(),
		Accept: summary(times.accept), FirstByte: summary(times.first), EndToEnd: summary(times.whole),
		Machine: r.machine, Series: r.series.samples,
	}
	res.Machine.LoadAfter = procs.Load()
	res.AcceptedRate = per(count.Accepted, times.lastAccept)
	res.DeliveredRate = per(count.Delivered, times.lastArrival)
	res.ByteRate = per(int(bytes), times.lastArrival)
	if r.series.tree != nil {
		res.Server = r.server(count)
	}
	return res
}

func (r *run) server(count Counts) *Server {
	s := &Server{Pid: r.pid, Before: r.before, Peak: r.series.peak}
	s.CPU = (r.series.last.CPU - r.before.CPU).Seconds()
	if n := max(count.Delivered, count.Accepted); n > 0 {
		s.CPUPerDocument = s.CPU / float64(n)
	}
	return s
}

func per(n int, d time.Duration) float64 {
	if d <= 0 {
		return 0
	}
	return float64(n) / d.Seconds()
}
