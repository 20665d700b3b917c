package monitortest

// Small makes the kit's documents smaller: its own tests run it many times.
func Small(opts Options) Options {
	opts.small = true
	return opts
}

// InProcess is a module of any make, without a process.
func InProcess(m servable) Subject { return inProcess(m) }

// Raced says that the race detector is on, which makes every rule cost six times as much.
const Raced = slack > 1
