// Package montest stands in for the host in the tests of the first-party monitors: a
// registry in memory and a spooler that records what it is told; and a bench to drive one on.
//
// Only tests below plugins import it. It does not check a monitor against the contract;
// sdk/monitortest does that.
package montest
