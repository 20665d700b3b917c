package client

import (
	"runtime"

	"github.com/spoolhost/spoolhost/sdk/pointprint"
)

// DefaultEnvironment is the environment of drivers for this machine's processor: files for
// its Windows applications, or for whoever else reads them here. The host runs none.
func DefaultEnvironment() string {
	switch runtime.GOARCH {
	case "arm64":
		return "Windows ARM64"
	case "386":
		return "Windows NT x86"
	case "arm":
		return "Windows ARM"
	}
	return "Windows x64"
}

// ThisSystem is what modules are told of this client: SPLCLIENT_INFO_1 of a spooler of
// version 3, as drivers count it.
func ThisSystem() pointprint.ClientInfo {
	info := pointprint.ClientInfo{MajorVersion: 3, ProcessorArchitecture: pointprint.X64}
	switch runtime.GOARCH {
	case "arm64":
		info.ProcessorArchitecture = pointprint.ARM64
	case "386":
		info.ProcessorArchitecture = pointprint.X86
	case "arm":
		info.ProcessorArchitecture = pointprint.ARM
	}
	return info
}
