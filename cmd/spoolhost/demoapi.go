package main

import (
	"bytes"
	"context"
	"io"
	"strconv"
	"time"

	"github.com/spoolhost/spoolhost/plugins/tcpmon"
	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

const (
	demoMonitor = tcpmon.Name
	demoPort    = "DEMO"
	demoPrinter = "Demo"
)

// demoAPI is the demo as a client of its host, by the same means as the command line.
type demoAPI struct{ call *call }

func dialDemo(addr string) (*demoAPI, error) {
	host, err := connect(&options{addr: addr}, io.Discard)
	if err != nil {
		return nil, err
	}
	quiet := output{w: io.Discard, err: io.Discard, json: true, now: time.Now}
	return &demoAPI{call: &call{client: host, out: quiet}}, nil
}

func (a *demoAPI) close() {
	if a != nil {
		a.call.Close()
	}
}

func (a *demoAPI) setUp(ctx context.Context, tcpPort int) error {
	_, err := a.call.AddPort(ctx, &apiv1.AddPortRequest{
		Name: demoPort, Monitor: demoMonitor, Settings: map[string]string{"host": "127.0.0.1", "port": strconv.Itoa(tcpPort)},
	})
	if err != nil {
		return err
	}
	_, err = a.call.AddPrinter(ctx, &apiv1.AddPrinterRequest{
		Name: demoPrinter, Settings: &apiv1.PrinterSettings{Ports: []string{demoPort}},
	})
	return err
}

func (a *demoAPI) submit(ctx context.Context, title string, doc []byte) (*apiv1.Job, error) {
	return submitFile(ctx, a.call, &apiv1.SubmitHeader{Printer: demoPrinter}, source{
		name: title, title: title, size: int64(len(doc)),
		open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(doc)), nil },
	})
}

// process gives the monitor's process; nil while there is none.
func (a *demoAPI) process(ctx context.Context) (*apiv1.Process, error) {
	r, err := a.call.GetMonitor(ctx, &apiv1.GetMonitorRequest{Name: demoMonitor})
	if err != nil || len(r.GetMonitor().GetProcesses()) == 0 {
		return nil, err
	}
	return r.GetMonitor().GetProcesses()[0], nil
}

// successor waits for another process than pid.
func (a *demoAPI) successor(ctx context.Context, pid int32) (*apiv1.Process, error) {
	poll := time.NewTicker(10 * time.Millisecond)
	defer poll.Stop()
	for {
		p, err := a.process(ctx)
		if err != nil || p != nil && p.GetPid() != pid {
			return p, err
		}
		select {
		case <-poll.C:
		case <-ctx.Done():
			return nil, spoolerr.As(ctx.Err(), spoolerr.TimedOut, "the monitor was not started again")
		}
	}
}
