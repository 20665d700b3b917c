// Package localmon is the port monitor "Local Port": it prints to devices of the host
// (/dev/usb/lp0), to files, and into directories, and only below the directories that
// the operator allows.
//
// The command spoolhost serves it as a module. On Windows any writable path is a valid
// local port, which has let people overwrite the system; here no path is, until the
// host's configuration says so. It speaks to no serial line: speed and parity are not
// its business.
package localmon
