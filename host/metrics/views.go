package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/spoolhost/spoolhost/host/catalog"
	"github.com/spoolhost/spoolhost/host/job"
	"github.com/spoolhost/spoolhost/host/spooler"
)

// views are the figures that are read from the spoolers when somebody asks.
type views struct {
	catalog  *catalog.Catalog
	spoolers func() []*spooler.Spooler
}

// view is one of them.
type view struct {
	name, help string
	kind       prometheus.ValueType
	labels     []string
}

func (v view) desc() *prometheus.Desc {
	return prometheus.NewDesc("spoolhost_"+v.name, v.help, append([]string{"spooler"}, v.labels...), nil)
}

func (v view) of(spooler string, value float64, labels ...string) prometheus.Metric {
	return prometheus.MustNewConstMetric(v.desc(), v.kind, value, append([]string{spooler}, labels...)...)
}

func gauge(name, help string, labels ...string) view {
	return view{name, help, prometheus.GaugeValue, labels}
}

func counter(name, help string, labels ...string) view {
	return view{name, help, prometheus.CounterValue, labels}
}

// table is every view, by name.
type table struct {
	jobs, printerJobs, printers, missing, spoolerState         view
	up, state, restarts, incarnation, memory, cpu, open, since view
}

func everyView() table {
	return table{
		jobs:     gauge("jobs", "Unfinished jobs by state.", "state"),
		printers: gauge("printers", "Printers."),
		missing:  gauge("printers_missing", "Printers without a port that works."),

		spoolerState: gauge("spooler_state", "1 for the state that a spooler of this host is in.", "state"),
		printerJobs:  gauge("printer_jobs", "Unfinished jobs of a printer by state, where there are any.", "printer", "state"),
		up:           gauge("monitor_up", "1 if the monitor's process runs.", "monitor"),
		state:        gauge("monitor_state", "1 for the state that the monitor is in.", "monitor", "state"),
		restarts:     counter("monitor_restarts_total", "Restarts of the monitor's process since the host started.", "monitor"),
		incarnation:  gauge("monitor_incarnation", "The running incarnation of the monitor's module.", "monitor"),
		since:        gauge("monitor_start_time_seconds", "When the monitor's process was started, since the epoch.", "monitor"),
		open:         gauge("monitor_open_handles", "Ports and configuration channels that are open in the monitor.", "monitor"),
		memory:       gauge("monitor_resident_memory_bytes", "Resident memory of the monitor's process and those that it started.", "monitor"),
		cpu:          counter("monitor_cpu_seconds_total", "Processor time of the monitor's process and those that it started.", "monitor"),
	}
}

// Describe implements prometheus.Collector.
func (c *views) Describe(ch chan<- *prometheus.Desc) {
	t := everyView()
	for _, v := range []view{t.jobs, t.printers, t.missing, t.spoolerState, t.printerJobs, t.up, t.state, t.restarts, t.incarnation, t.since, t.open, t.memory, t.cpu} {
		ch <- v.desc()
	}
}

// Collect implements prometheus.Collector.
func (c *views) Collect(ch chan<- prometheus.Metric) {
	t, usage := everyView(), groupUsage()
	for _, s := range c.spoolers() {
		collect(ch, t, s)
		for _, m := range c.catalog.List() {
			if s.Local() || !s.Dormant(m.Name) {
				monitor(ch, t, s, m.Name, usage)
			}
		}
	}
}

func collect(ch chan<- prometheus.Metric, t table, s *spooler.Spooler) {
	name, queue, standing := s.Name(), s.Queue(), s.Brief(1)
	counts := queue.States()
	for _, state := range []job.State{job.Queued, job.Held, job.Printing} {
		ch <- t.jobs.of(name, float64(counts[state]), string(state))
	}
	ch <- t.printers.of(name, float64(standing.Printers))
	ch <- t.missing.of(name, float64(standing.Missing))
	ch <- t.spoolerState.of(name, 1, standing.State)
	for printer, counts := range queue.PrinterStates() {
		for state, n := range counts {
			ch <- t.printerJobs.of(name, float64(n), printer, string(state))
		}
	}
}

func monitor(ch chan<- prometheus.Metric, t table, s *spooler.Spooler, monitor string, usage map[int]consumption) {
	name := s.Name()
	v, _ := s.Monitor(monitor)
	ch <- t.state.of(name, 1, monitor, v.State)
	ch <- t.restarts.of(name, float64(v.Restarts), monitor)
	if v.Process == nil {
		ch <- t.up.of(name, 0, monitor)
		return
	}
	ch <- t.up.of(name, 1, monitor)
	ch <- t.incarnation.of(name, float64(v.Process.Incarnation), monitor)
	ch <- t.since.of(name, float64(v.Process.Started.UnixNano())/1e9, monitor)
	ch <- t.open.of(name, float64(v.Handles), monitor)
	if u, ok := usage[v.Process.PID]; ok {
		ch <- t.memory.of(name, float64(u.memory), monitor)
		ch <- t.cpu.of(name, u.cpu, monitor)
	}
}

// consumption is what the processes of a group use: bytes, and seconds.
type consumption struct {
	memory int
	cpu    float64
}
