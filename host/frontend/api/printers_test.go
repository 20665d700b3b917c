package api

import (
	"slices"
	"testing"

	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
)

// What print dialogs are told and refused is set here too; what is not given stays.
func TestPrinterLists(t *testing.T) {
	b := newBench(t)
	b.printer("p", nil)
	yes, no := true, false
	set := func(s *apiv1.PrinterSettings) *apiv1.Printer {
		resp, err := b.printers(root).UpdatePrinter(t.Context(), &apiv1.UpdatePrinterRequest{Name: "p", Settings: s})
		b.must(err)
		return resp.GetPrinter()
	}
	if p := set(&apiv1.PrinterSettings{}); !p.GetAccepting() || p.GetHoldNewJobs() || p.GetFormats() != nil || p.GetAllow() != nil {
		t.Errorf("a new printer is %v", p)
	}
	list := func(names ...string) *apiv1.NameList { return &apiv1.NameList{Names: names} }
	set(&apiv1.PrinterSettings{Accepting: &no, HoldNewJobs: &yes, Formats: list("application/pdf"), Allow: list("ann", "@staff"), Deny: list("bob")})
	p := set(&apiv1.PrinterSettings{Comment: new(string)})
	if p.GetAccepting() || !p.GetHoldNewJobs() || !slices.Equal(p.GetFormats(), []string{"application/pdf"}) ||
		!slices.Equal(p.GetAllow(), []string{"ann", "@staff"}) || !slices.Equal(p.GetDeny(), []string{"bob"}) {
		t.Errorf("after setting: %v", p)
	}
	p = set(&apiv1.PrinterSettings{Accepting: &yes, HoldNewJobs: &no, Formats: list(), Allow: list()})
	if !p.GetAccepting() || p.GetHoldNewJobs() || len(p.GetFormats())+len(p.GetAllow()) > 0 || len(p.GetDeny()) != 1 {
		t.Errorf("after clearing: %v", p)
	}
	if _, err := b.printers(root).UpdatePrinter(t.Context(), &apiv1.UpdatePrinterRequest{Name: "p", Settings: &apiv1.PrinterSettings{Formats: list("pdf")}}); err == nil {
		t.Error("pdf is no media type")
	}
}
