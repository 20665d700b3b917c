// Package portconfig is the input of AddPort and ConfigPort as any monitor can read it:
// a port's name and its settings, each a key and a text. It is how
//
//	spoolhost port add NAME --monitor M --set key=value
//
// reaches a monitor that the command knows nothing about.
//
// Vendors import it in their Xcv.Data; the command line and the API encode with it. It
// knows no setting of any monitor, stores nothing, and does no I/O. A monitor that takes
// other layouts as well (PORT_DATA_1) tells them apart by their first bytes: the JSON
// begins with a brace and holds no NUL.
package portconfig
