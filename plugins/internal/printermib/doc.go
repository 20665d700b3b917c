// Package printermib asks a printer for its state by SNMP: the Printer MIB (RFC 3805) and
// the printer part of the Host Resources MIB (RFC 2790).
//
// tcpmon imports it. It asks when it is told to, and keeps nothing: when to ask, and what
// to do with the answer, is the monitor's business. What a printer answers is bounded
// and checked here; what it leaves out is left out.
package printermib
