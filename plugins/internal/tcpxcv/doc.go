// Package tcpxcv reads and writes the structures that XcvData carries to and from the
// monitor "Standard TCP/IP Port": PORT_DATA_1, PORT_DATA_2, DELETE_PORT_DATA_1 and
// CONFIG_INFO_DATA_1 of tcpxcv.h, byte for byte: little endian, UTF-16LE strings in
// fields of fixed size, two bytes of padding where the compiler puts them.
//
// tcpmon and its UI module import it. It knows no registry and no setting: it says
// whether bytes are such a structure, not whether a port could be reached.
//
// All errors are spoolerr.Invalid with the codes that the interface documents:
// ERROR_INVALID_DATA (13) for a wrong size or a malformed field, ERROR_INVALID_LEVEL
// (124) for a wrong version.
package tcpxcv
