// Package chaos is a test of whole clusters: three hosts of the real binary, each in a
// network namespace of its own, with printers that record every byte, clients on all
// nodes, and faults at random. It fails if a job is lost, if two nodes print for one
// spooler, if a printer is not listed, or if a client saw what no cluster without faults
// could have shown it. It has tests only, and needs Linux, root and ip (iproute2). README.md
// says how to run it, what is judged, and how the judges were tried.
//
// The faults follow from a seed, which is printed first; only the machine's own timing
// differs then. What failed leaves the logs of all nodes in a directory whose name is
// printed; -chaos.keep leaves them always.
//
// How it is made: plan_test.go draws the faults, faults_test.go carries them out on
// world_test.go (processes), etcd_test.go and network_test.go (namespaces, mounts);
// load_test.go are the clients, device_test.go the printers. checks_test.go and
// history_test.go judge what they wrote down, and are themselves tested with histories that
// they must refuse. mistakes_test.go is what operators do wrong.
package chaos
