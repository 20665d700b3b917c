package tcpmon

import (
	"errors"
	"testing"

	"github.com/spoolhost/spoolhost/plugins/internal/lpr/lprtest"
	"github.com/spoolhost/spoolhost/plugins/internal/montest"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// Protocol 2 of PORT_DATA: the same port, by LPR.
func TestPrintByLPR(t *testing.T) {
	b := newBench(t)
	d := lprtest.New(t, &lprtest.Daemon{})
	p := b.open("lp1", d.Settings("protocol", "lpr"))
	if infos, _ := b.mon.EnumPorts(t.Context()); len(infos) != 1 || infos[0].Description != "lpr "+d.Addr().String()+" queue lp" {
		t.Errorf("%v", infos)
	}
	if err := p.StartDoc(t.Context(), spool.Doc{JobID: 7, Attempt: 1, Size: 3, Title: "t", User: "ann"}); err != nil {
		t.Fatal(err)
	}
	if n, err := p.Read(t.Context(), make([]byte, 1)); n != 0 || err != nil {
		t.Errorf("Read: %d %v", n, err)
	}
	if err := errors.Join(writeAll(t.Context(), p, []byte("abc")), p.EndDoc(t.Context(), 0)); err != nil {
		t.Fatal(err)
	}
	if j := d.Job(); j.Data != "abc" || j.Err != nil || len(b.host.Jobs()) != 1 {
		t.Errorf("%+v", j)
	}
	_, err := parse(b.config("lp1"))
	if err != nil {
		t.Error(err)
	}
	montest.WantError(t, b.admin("ConfigPort", []byte(`{"name":"lp1","settings":{"queue":""}}`)), spoolerr.Invalid, spoolerr.CodeInvalidData, "queue")
}
