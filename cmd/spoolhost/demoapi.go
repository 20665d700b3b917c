package main

import (
	"context"
	"errors"
	"io"
	"strconv"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/spoolhost/spoolhost/plugins/tcpmon"
	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
	"github.com/spoolhost/spoolhost/sdk/spoolerr/spoolgrpc"
)

const (
	demoMonitor = tcpmon.Name
	demoPort    = "DEMO"
	demoPrinter = "Demo"
)

// demoAPI is the demo as a client of its host.
type demoAPI struct{ conn *grpc.ClientConn }

func dialDemo(addr string) (*demoAPI, error) {
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, spoolerr.As(err, spoolerr.Unavailable, "host at %s", addr)
	}
	return &demoAPI{conn: conn}, nil
}

func (a *demoAPI) close() {
	if a != nil {
		_ = a.conn.Close()
	}
}

func (a *demoAPI) setUp(ctx context.Context, tcpPort int) error {
	_, err := apiv1.NewPortsClient(a.conn).AddPort(ctx, &apiv1.AddPortRequest{
		Name: demoPort, Monitor: demoMonitor, Settings: map[string]string{"host": "127.0.0.1", "port": strconv.Itoa(tcpPort)},
	})
	if err != nil {
		return spoolgrpc.FromStatus(err)
	}
	_, err = apiv1.NewPrintersClient(a.conn).AddPrinter(ctx, &apiv1.AddPrinterRequest{
		Name: demoPrinter, Settings: &apiv1.PrinterSettings{Ports: []string{demoPort}},
	})
	return spoolgrpc.FromStatus(err)
}

// process gives the monitor's process; nil while there is none.
func (a *demoAPI) process(ctx context.Context) (*apiv1.Process, error) {
	r, err := apiv1.NewMonitorsClient(a.conn).GetMonitor(ctx, &apiv1.GetMonitorRequest{Name: demoMonitor})
	if err != nil {
		return nil, spoolgrpc.FromStatus(err)
	}
	if list := r.GetMonitor().GetProcesses(); len(list) > 0 {
		return list[0], nil
	}
	return nil, nil
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

func (a *demoAPI) submit(ctx context.Context, title string, doc io.Reader) (*apiv1.Job, error) {
	stream, err := apiv1.NewJobsClient(a.conn).SubmitJob(ctx)
	if err != nil {
		return nil, spoolgrpc.FromStatus(err)
	}
	send := func(m *apiv1.SubmitJobRequest) error { return stream.Send(m) }
	header := &apiv1.SubmitHeader{Printer: demoPrinter, Title: title}
	err = send(&apiv1.SubmitJobRequest{Part: &apiv1.SubmitJobRequest_Header{Header: header}})
	buf := make([]byte, 256<<10)
	var size uint64
	for err == nil {
		n, readErr := io.ReadFull(doc, buf)
		if n > 0 {
			size += uint64(n)
			err = send(&apiv1.SubmitJobRequest{Part: &apiv1.SubmitJobRequest_Chunk{Chunk: buf[:n]}})
		}
		if readErr != nil { // a reader of memory ends and never fails
			break
		}
	}
	if err == nil {
		err = send(&apiv1.SubmitJobRequest{Part: &apiv1.SubmitJobRequest_End{End: &apiv1.SubmitEnd{Size: size}}})
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, spoolgrpc.FromStatus(err)
	}
	r, err := stream.CloseAndRecv() // after io.EOF this has the reason
	return r.GetJob(), spoolgrpc.FromStatus(err)
}

// wait follows a job to its end.
func (a *demoAPI) wait(ctx context.Context, id uint64) (*apiv1.Job, error) {
	stream, err := apiv1.NewJobsClient(a.conn).WatchJob(ctx, &apiv1.WatchJobRequest{Id: id})
	if err != nil {
		return nil, spoolgrpc.FromStatus(err)
	}
	var last *apiv1.Job
	for {
		r, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return last, nil
		}
		if err != nil {
			return last, spoolgrpc.FromStatus(err)
		}
		last = r.GetJob()
		if last.GetState() == "held" {
			return last, nil
		}
	}
}
