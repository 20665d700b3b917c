package metrics

import "github.com/prometheus/procfs"

// groupUsage adds up what the processes of each process group use; a module leads a group
// of its own.
func groupUsage() map[int]consumption {
	usage := make(map[int]consumption)
	all, err := procfs.AllProcs()
	if err != nil {
		return usage
	}
	for _, p := range all {
		stat, err := p.Stat()
		if err != nil {
			continue // it has ended
		}
		u := usage[stat.PGRP]
		usage[stat.PGRP] = consumption{memory: u.memory + stat.ResidentMemory(), cpu: u.cpu + stat.CPUTime()}
	}
	return usage
}
