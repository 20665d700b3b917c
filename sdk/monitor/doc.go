// Package monitor is the contract of a port monitor server, and the whole of what its
// author needs: implement Monitor and Port, and call Serve.
//
//	func main() { monitor.Serve(initialize) }
//
// Vendors import it, and the host sees every monitor as these interfaces. The adapters
// own handles, buffer sizes, deadlines, logging and death with the host; an author
// writes none of that. It does not print: the host chunks, retries and records.
package monitor
