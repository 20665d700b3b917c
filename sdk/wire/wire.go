package wire

// The go-plugin handshake. The cookie keeps a person from starting a module by hand by
// mistake; it is no secret.
const (
	CookieKey   = "SPOOLHOST_MODULE"
	CookieValue = "a5c1f1c2-spoolhost-module"
	// ProtocolVersion is the version of the handshake and the transport. Services are
	// versioned by their names, optional behaviour by capabilities.
	ProtocolVersion = 1
	// PluginName is the one entry of go-plugin's plugin set.
	PluginName = "module"
)

// What the launcher hands a module.
const (
	// EnvHostAddr names the Unix socket of the host services.
	EnvHostAddr = "SPOOLHOST_HOST_ADDR"
	// EnvLifeline is the number of an inherited descriptor, the read end of a pipe that
	// the host holds open. Its end of file means that the host is gone.
	EnvLifeline = "SPOOLHOST_LIFELINE_FD"
	// EnvDocuments is the number of an inherited descriptor, a socket (SOCK_SEQPACKET) over
	// which the host sends descriptors of documents. It is not set where there is none.
	EnvDocuments = "SPOOLHOST_DOCUMENT_FD"
	// EnvIdentity is the number of an inherited descriptor, a pipe that holds a certificate
	// and its key in PEM. A module that serves TLS with it leaves the certificate out of its
	// handshake line; one that makes its own need not read it. It is not set where there is
	// none.
	EnvIdentity = "SPOOLHOST_IDENTITY_FD"
	// LifelineFD is the lifeline's number where the launcher can choose it.
	LifelineFD = 3
	// ExecutableFD is the descriptor of the verified executable, inherited so that what
	// was hashed is what runs. Serve closes it.
	ExecutableFD = 4
	// FurtherFD is the first number of the descriptors that not every module inherits.
	FurtherFD = 5
)

// Names of the services.
const (
	ServiceMonitorV1 = "spoolhost.monitor.v1.PrintMonitor"
	ServiceMonitorV2 = "spoolhost.monitor.v2.PrintMonitor"
	ServiceMonitorUI = "spoolhost.monitorui.v1.MonitorUI"

	ServicePointPrintV1 = "spoolhost.pointprint.v1.PointAndPrint"
	ServiceDriverV1     = "spoolhost.driver.v1.PrinterDriver"
)

// Kinds of modules in Describe: a port monitor server, its user interface, a Point and Print
// module, a printer driver's event module.
const (
	KindMonitor    = "monitor"
	KindMonitorUI  = "monitorui"
	KindPointPrint = "pointprint"
	KindDriver     = "driver"
)

// Limits that both sides keep.
const (
	// MaxReply bounds what the host accepts in one reply of a module, in bytes.
	MaxReply = 16 << 20
	// MaxRequest bounds what the host accepts in one call of a module, in bytes.
	MaxRequest = 4 << 20
	// MaxXcv bounds input and output of one XcvData, in bytes.
	MaxXcv = 1 << 20
)
