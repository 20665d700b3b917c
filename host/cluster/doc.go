// Package cluster decides which node owns which cluster spooler, and makes sure that no two
// nodes print for one: membership by a lease, ownership by a record with an epoch, the
// fence that ends a spooler's modules before the lease can have run out, placement, planned
// moves and the taking over after a death.
//
// The composition root and the front ends import it. The logic is pure: fence.go (what a
// node may still do, by its clock), owner.go (one spooler on one node) and place.go (who
// takes what); Node carries it out on a store and spoolers. It knows nothing of etcd beyond
// the Leases interface, and prints nothing.
package cluster
