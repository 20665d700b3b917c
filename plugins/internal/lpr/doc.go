// Package lpr is a client of the line printer daemon protocol (RFC 1179): it sends a
// document to a queue, and asks for the state of one.
//
// The monitors lprmon and tcpmon import it. It knows no registry and no port: it gives a
// ports.Target for one document. Every step has a time-out, and every step that the
// daemon must answer is answered before the next.
package lpr
