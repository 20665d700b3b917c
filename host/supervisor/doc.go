// Package supervisor runs module processes: it launches one from a verified executable,
// checks its handshake, reads its output, notices its end, ends it, and starts it anew
// with back-off. It is the only user of go-plugin's Client, and where every go-plugin
// trap is kept away from the host.
//
// catalog imports it. It knows nothing of monitors, ports or jobs: what a process is for
// is decided by the functions in Config.
package supervisor
