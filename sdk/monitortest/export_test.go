package monitortest

// InProcess is a module of any make, without a process.
func InProcess(m servable) Subject { return inProcess(m) }
