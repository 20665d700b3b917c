package procs

import "github.com/prometheus/procfs"

// Load is the machine's load average of the last minute; 0 if it is not known.
func Load() float64 {
	fs, err := procfs.NewDefaultFS()
	if err != nil {
		return 0
	}
	l, err := fs.LoadAvg()
	if err != nil {
		return 0
	}
	return l.Load1
}
