// Package job is the durable queue: what a job is, which states it goes through, and the
// record of every attempt to print it.
//
// The state machine (machine.go) is pure: it takes a job, an event and a time, and gives
// the next job. Queue keeps the records in a store and the unfinished ones in memory.
// spooler imports it. It does no printing and no scheduling beyond order: which of a
// printer's jobs is next.
package job
