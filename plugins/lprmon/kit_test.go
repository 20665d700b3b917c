package lprmon_test

import (
	"net"
	"testing"

	"github.com/spoolhost/spoolhost/plugins/internal/lpr/lprtest"
	"github.com/spoolhost/spoolhost/plugins/lprmon"
	"github.com/spoolhost/spoolhost/sdk/monitortest"
)

// daemon is a line printer daemon as the kit sees it: what it got is the documents that
// came whole.
type daemon struct{ *lprtest.Daemon }

func (d daemon) Vars() map[string]string {
	host, port, _ := net.SplitHostPort(d.Addr().String())
	return map[string]string{"lpd.host": host, "lpd.port": port}
}

func (d daemon) Take() (data []byte, err error) {
	for d.Waiting() > 0 {
		if j := d.Job(); j.Err == nil {
			data = append(data, j.Data...)
		}
	}
	return data, nil
}

func (d daemon) Stall(bool) bool { return false }

func (d daemon) Close() error {
	d.Daemon.Close()
	return nil
}

func TestConformance(t *testing.T) {
	monitortest.Run(t, monitortest.Serve(lprmon.Initialize), monitortest.Options{
		Settings: map[string]string{"host": "{{lpd.host}}", "port": "{{lpd.port}}", "queue": "lp", "writeTimeout": "1s", "answerTimeout": "5s"},
		Device:   func(string) (monitortest.Device, error) { return daemon{lprtest.New(t, &lprtest.Daemon{})}, nil },
	})
}
