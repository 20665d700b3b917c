// Package target is the servers that a load test loads: a spoolhost by its API, and any
// server by IPP. The load generator imports it. It measures nothing.
package target

import (
	"context"
	"io"
	"net"
)

// Document is what a client hands over.
type Document struct {
	Queue string
	Title string
	Size  int64
	Bytes io.Reader
}

// Client is one client with its own connection, which it keeps. It is for one goroutine.
type Client interface {
	// Submit returns when the server says that it has accepted the document.
	Submit(ctx context.Context, doc Document) error
	Close() error
}

// Target is a server under load.
type Target interface {
	// Name says what it is, in a word or an address.
	Name() string
	// Client makes a client.
	Client() (Client, error)
	// AddQueue makes a queue that prints to an AppSocket printer.
	AddQueue(ctx context.Context, name string, printer *net.TCPAddr) error
	// RemoveQueue takes it away again, with all its jobs. What is not there is no error.
	RemoveQueue(ctx context.Context, name string) error
	// Pid is the number of the server's process on this machine; 0 if it is not known.
	Pid(ctx context.Context) int
}
