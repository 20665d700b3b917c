// Package procs measures what a server costs: processor time and memory of a process and
// all below it, those that have ended included. The load generator imports it. It reads
// /proc, and so is for Linux; elsewhere there are no figures.
package procs

import "time"

// Usage is what a tree of processes has used.
type Usage struct {
	// CPU is the processor time of all, user and system, since they began.
	CPU time.Duration `json:"cpu"`
	// RSS is the sum of what each has in memory; what they share counts several times.
	RSS int64 `json:"rss"`
	// PSS is the same with shares divided among those who share; 0 if it was not measured.
	PSS int64 `json:"pss"`
	// Root is the RSS of the first process alone.
	Root int64 `json:"root"`
	// Processes is how many there are.
	Processes int `json:"processes"`
}
