package monitortest

import (
	"errors"
	"fmt"
	"time"

	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

func documentChecks() []check {
	return []check{
		{Rule{"document.data", "The device gets the document whole and in order, whatever its size.", "WritePort"}, checkData},
		{Rule{"document.count", "WritePort reports what it took: never more than it was given, nothing of nothing, and any size of buffer is right.", "WritePort: pcbWritten"}, checkCount},
		{Rule{"document.sent", "EndDocPort reports JOB_CONTROL_SENT_TO_PRINTER for its job exactly once before it returns.", "EndDocPort, SetJob"}, checkSent},
		{Rule{"document.together", "A small document in one call comes out whole, and is reported once: by SetJob or by the answer (EndReporter).", "StartDocPort, WritePort, EndDocPort, SetJob"}, checkTogether},
		{Rule{"document.unsized", "A port that announces document-unsized prints a document whose length StartDocPort does not tell.", "StartDocPort, capability document-unsized"}, checkUnsized},
		{Rule{"document.write-first", "WritePort without StartDocPort is an error, and prints nothing.", "WritePort: ERROR_SPL_NO_STARTDOC"}, checkWriteFirst},
		{Rule{"document.end-first", "EndDocPort without StartDocPort returns and reports nothing.", "EndDocPort"}, checkEndFirst},
		{Rule{"document.start-twice", "A second StartDocPort in a document is refused or does nothing; the document goes on.", "StartDocPort"}, checkStartTwice},
		{Rule{"document.close-midway", "ClosePort in a document drops it without a report, and frees the port.", "ClosePort"}, checkCloseMidway},
		{Rule{"document.aborted", "EndDocPort of a job that is deleted or restarted drops the document, and does not report it as sent.", "EndDocPort: JOB_STATUS_DELETING, JOB_STATUS_RESTART"}, checkAborted},
		{Rule{"document.after-aborted", "Nothing of a dropped document comes out with the next one.", "EndDocPort"}, checkAfterAborted},
	}
}

func checkData(p *probe) {
	i := p.one()
	t := i.device()
	o := i.open(t)
	for _, size := range []int{0, 1, 64<<10 - 1, 64 << 10, 64<<10 + 1, p.opts.size(1 << 20), p.opts.size(10 << 20)} {
		data := pattern(size)
		p.must(o.print(data), fmt.Sprintf("a document of %d bytes", size))
		p.must(p.arrives(t.device, data), fmt.Sprintf("a document of %d bytes", size))
	}
}

func checkCount(p *probe) {
	i := p.one()
	o := i.open(i.port())
	sizes, total := []int{0, 1, 3, 4097, spool.ChunkSize}, 0
	for _, size := range sizes {
		total += size
	}
	p.need(o.begin(p.call(), total), "StartDocPort")
	for _, size := range sizes {
		data := pattern(size)
		n, err := o.Write(p.call(), data)
		if err != nil && !errors.Is(err, spoolerr.NotReady) {
			p.fail("WritePort of %d bytes: %v", size, err)
		}
		if n > size {
			p.fail("WritePort of %d bytes took %d", size, n)
		}
		p.need(o.send(data[n:]), "WritePort of what was left") // the document is as long as StartDocPort said
	}
	p.must(o.finish(p.call(), spool.JobStatusPrinting), "EndDocPort")
}

func checkSent(p *probe) {
	i := p.one()
	o := i.open(i.port())
	for n := range 3 {
		p.need(o.print(pattern(1000)), "printing")
		sent := p.host.sent(i.spooler)
		if len(sent) != n+1 {
			p.fail("after document %d EndDocPort has returned, and JOB_CONTROL_SENT_TO_PRINTER was reported %d times", n+1, len(sent))
		}
		switch r := sent[n]; {
		case r.job != o.job:
			p.fail("job %d was printed, job %d is reported as sent", o.job, r.job)
		case r.phase != ending:
			p.fail("job %d was reported as sent before EndDocPort", o.job)
		}
	}
}

func checkWriteFirst(p *probe) {
	i := p.one()
	t := i.port()
	o := i.open(t)
	n, err := o.Write(p.call(), []byte("no document"))
	if err == nil || errors.Is(err, spoolerr.NotReady) {
		p.fail("WritePort without StartDocPort takes %d bytes and answers %v", n, answer(err))
	}
	data := pattern(1000)
	p.must(o.print(data), "printing afterwards")
	if t.device != nil {
		p.must(p.arrives(t.device, data), "what was written without StartDocPort came out")
	}
}

func checkEndFirst(p *probe) {
	i := p.one()
	o := i.open(i.port())
	ctx := p.call()
	if err := o.EndDoc(ctx, spool.JobStatusPrinting); late(ctx, err) {
		p.fail("EndDocPort without StartDocPort does not return")
	}
	if len(p.host.sent(i.spooler)) > 0 {
		p.fail("EndDocPort without StartDocPort reports a job as sent")
	}
	p.must(o.print(pattern(1000)), "printing afterwards")
}

func checkStartTwice(p *probe) {
	i := p.one()
	t := i.port()
	o := i.open(t)
	data := pattern(10_000)
	p.need(o.begin(p.call(), len(data)), "StartDocPort")
	p.need(o.send(data[:5000]), "WritePort")
	_ = o.StartDoc(p.call(), spool.Doc{JobID: o.job, Datatype: spool.DatatypeRAW, Size: 1, Attempt: 1})
	p.must(o.send(data[5000:]), "WritePort after a second StartDocPort")
	p.must(o.finish(p.call(), spool.JobStatusPrinting), "EndDocPort after a second StartDocPort")
	if t.device != nil {
		p.must(p.arrives(t.device, data), "after a second StartDocPort the document is not whole")
	}
}

func checkCloseMidway(p *probe) {
	i := p.one()
	t := i.port()
	o := i.open(t)
	p.need(o.begin(p.call(), 1<<20), "StartDocPort")
	p.need(o.send(pattern(100_000)), "WritePort")
	ctx := p.call()
	if err := o.Close(ctx); late(ctx, err) {
		p.fail("ClosePort in a document does not return: %v", err)
	}
	if len(p.host.sent(i.spooler)) > 0 {
		p.fail("a document that was never ended is reported as sent")
	}
	again, err := i.OpenPort(p.call(), t.name)
	p.must(err, "the port cannot be opened again")
	p.must((&opened{Port: again, i: i}).print(pattern(1000)), "the port does not print again")
}

func checkAborted(p *probe) {
	i := p.one()
	o := i.open(i.port())
	for _, status := range []spool.JobStatus{spool.JobStatusDeleting, spool.JobStatusRestart} {
		p.need(o.begin(p.call(), 1<<20), "StartDocPort")
		p.need(o.send(pattern(100_000)), "WritePort")
		p.must(o.finish(p.call(), spool.JobStatusPrinting|status), fmt.Sprintf("EndDocPort with job status %#x", status))
		if len(p.host.sent(i.spooler)) > 0 {
			p.fail("a document that ended with job status %#x is reported as sent", status)
		}
	}
}

func checkAfterAborted(p *probe) {
	i := p.one()
	t := i.device()
	o := i.open(t)
	p.need(o.begin(p.call(), 1<<20), "StartDocPort")
	p.need(o.send(pattern(100_000)), "WritePort")
	p.need(o.finish(p.call(), spool.JobStatusDeleting), "EndDocPort")
	p.settle(t.device)
	data := pattern(5000)
	p.must(o.print(data), "the next document")
	p.must(p.arrives(t.device, data), "the next document")
}

// settle throws away what comes until nothing has come for a while.
func (p *probe) settle(d Device) {
	const quiet = 200 * time.Millisecond
	for {
		if !p.poll(quiet, func() bool {
			more, err := d.Take()
			return err != nil || len(more) > 0
		}) {
			return
		}
	}
}
