// Package tcpmon is the port monitor "Standard TCP/IP Port": it sends documents as they
// are to a TCP port of a printer (AppSocket, raw, usually 9100), or to a queue of a line
// printer daemon (LPR), and asks the printer for its state by SNMP, off the data path.
//
// The command spoolhost serves it as a module. It does not look into documents, and
// retries nothing: the host does.
package tcpmon
