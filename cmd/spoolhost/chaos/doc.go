// Package chaos is a test of whole clusters: three hosts of the real binary, each in a
// network namespace of its own, with printers that record every byte, clients on all
// nodes, and faults at random. It fails if a job is lost, if two nodes print for one
// spooler, if a printer is not listed, or if a client saw what no cluster without faults
// could have shown it. It has tests only, needs Linux, root and ip (iproute2), and takes
// about a minute:
//
//	go test ./cmd/spoolhost/chaos
//	go test ./cmd/spoolhost/chaos -run Clusters/Chaos -v -timeout 2h -chaos.faults 200
//	go test ./cmd/spoolhost/chaos -run Clusters/Chaos -v -chaos.engine external    # three etcd of /usr/bin
//
// The faults follow from a seed, which is printed first; -chaos.seed N takes the same ones
// again. Only the machine's own timing differs then. What failed leaves the logs of all
// nodes in a directory whose name is printed; -chaos.keep leaves them always.
//
// How it is made: plan_test.go draws the faults, faults_test.go carries them out on
// world_test.go (processes) and network_test.go (namespaces, mounts); load_test.go are the
// clients, device_test.go the printers. checks_test.go and history_test.go judge what they
// wrote down, and are themselves tested with histories that they must refuse.
package chaos
