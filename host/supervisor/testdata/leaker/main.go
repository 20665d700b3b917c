// Command leaker is a monitor that takes memory without end when it is asked to. It is
// built by a test, without the race detector, whose own memory leaves no room for a limit.
package main

import (
	"context"

	"github.com/spoolhost/spoolhost/sdk/monitor"
	"github.com/spoolhost/spoolhost/sdk/spool"
)

func main() {
	monitor.Serve(func(context.Context, monitor.Init) (monitor.Monitor, error) { return leaker{}, nil })
}

type leaker struct{ monitor.Monitor }

// EnumPorts leaks.
func (leaker) EnumPorts(context.Context) ([]spool.PortInfo, error) {
	var all [][]byte
	for {
		block := make([]byte, 1<<20)
		for i := range block {
			block[i] = 1
		}
		all = append(all, block)
		_ = all
	}
}
