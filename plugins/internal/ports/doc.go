// Package ports is what every first-party monitor does alike: it keeps its ports in the
// registry, one subkey of Ports each; knows which of them are open; and answers AddPort,
// ConfigPort, DeletePort, GetConfigInfo and MonitorUI on an Xcv channel.
//
// The first-party monitors import it. It opens no device, and knows no setting: a Codec
// of the monitor does.
package ports
