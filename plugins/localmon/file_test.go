package localmon

import (
	"os"
	"strings"
	"testing"

	"github.com/spoolhost/spoolhost/plugins/internal/montest"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

func TestFileIsReplacedWhole(t *testing.T) {
	b := newBench(t)
	p := b.open("FILE:", b.path("out.prn"))
	if err := b.print(p, spool.Doc{JobID: 1}, "a long first document"); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(b.path("out.prn"), 0o604); err != nil {
		t.Fatal(err)
	}
	if err := p.StartDoc(t.Context(), spool.Doc{JobID: 2}); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Write(t.Context(), []byte("second")); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(b.files(), "out.prn=a long first document") {
		t.Errorf("half a document shows: %s", b.files())
	}
	if err := p.EndDoc(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	if got := b.files(); got != "out.prn=second" {
		t.Errorf("files %s", got)
	}
	if info, _ := os.Stat(b.path("out.prn")); info.Mode().Perm() != 0o604 {
		t.Errorf("mode became %v", info.Mode())
	}
	if jobs := b.host.Jobs(); len(jobs) != 2 || jobs[1] != (montest.JobReport{Job: 2, Control: spool.JobControlSentToPrinter}) {
		t.Errorf("jobs %v", jobs)
	}
}

func TestAbortedDocumentsLeaveNothing(t *testing.T) {
	for _, how := range []string{"EndDoc", "Close", "Shutdown"} {
		t.Run(how, func(t *testing.T) {
			b := newBench(t)
			p := b.open("FILE:", b.path("out.prn"))
			if err := p.StartDoc(t.Context(), spool.Doc{JobID: 1}); err != nil {
				t.Fatal(err)
			}
			p.Write(t.Context(), []byte("half"))
			switch how {
			case "EndDoc":
				p.EndDoc(t.Context(), spool.JobStatusRestart)
			case "Close":
				p.Close(t.Context())
			case "Shutdown":
				b.mon.Shutdown(t.Context())
			}
			if got := b.files(); got != "" {
				t.Errorf("left: %s", got)
			}
			b.noJobs()
		})
	}
}

func TestRemainsOfACrashAreRemoved(t *testing.T) {
	b := newBench(t)
	part := partName("ntprint", "file:")
	if err := os.WriteFile(b.path(part), []byte("of an earlier life"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := b.print(b.open("FILE:", b.path("out.prn")), spool.Doc{JobID: 1}, "new"); err != nil {
		t.Fatal(err)
	}
	if got := b.files(); got != "out.prn=new" {
		t.Errorf("files %s", got)
	}
}

// A host that stood still must not publish what the one that took over is writing.
func TestPartOfAnotherIsNotPublished(t *testing.T) {
	b := newBench(t)
	p := b.open("FILE:", b.path("out.prn"))
	if err := p.StartDoc(t.Context(), spool.Doc{JobID: 1}); err != nil {
		t.Fatal(err)
	}
	part := b.path(partName("NTPRINT", "FILE:"))
	if err := os.Remove(part); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(part, []byte("theirs"), 0o600); err != nil {
		t.Fatal(err)
	}
	montest.WantError(t, p.EndDoc(t.Context(), 0), spoolerr.Precondition, 0, "second host")
	if got := b.files(); got != partName("NTPRINT", "FILE:")+"=theirs" {
		t.Errorf("files %s", got)
	}
	b.noJobs()
}

func TestDirectoryGetsAFilePerDocument(t *testing.T) {
	b := newBench(t)
	p := b.open("outbox", b.dir+"/")
	docs := []spool.Doc{
		{JobID: 7, Attempt: 1, Title: "Rechnung März.pdf"},
		{JobID: 7, Attempt: 2, Title: "../../etc/passwd"},
		{JobID: 8, Attempt: 1, Title: ""},
		{JobID: 8, Attempt: 1, Title: "."}, // another spooler has a job 8 too
	}
	for _, doc := range docs {
		if err := b.print(p, doc, doc.Title); err != nil {
			t.Fatal(err)
		}
	}
	want := "7-1-Rechnung_März.pdf.prn=Rechnung März.pdf 7-2-etc_passwd.prn=../../etc/passwd 8-1-untitled.prn= 8-1-untitled~2.prn=."
	if got := b.files(); got != want {
		t.Errorf("files\n%s, want\n%s", got, want)
	}
}

func TestFileTitles(t *testing.T) {
	for title, want := range map[string]string{
		"": "untitled", "...": "untitled", "/": "untitled", ".hidden": "hidden", "a  b\x00\n/c": "a_b_c",
		"x-y.txt": "x-y.txt", strings.Repeat("é", 100): strings.Repeat("é", 40), "日本語": "日本語", "\xff": "untitled",
	} {
		if got := fileTitle(title); got != want {
			t.Errorf("%q becomes %q, want %q", title, got, want)
		}
	}
}

func FuzzFileTitle(f *testing.F) {
	f.Add("../a\x00b")
	f.Fuzz(func(t *testing.T, title string) {
		name := documentName(spool.Doc{JobID: 1<<64 - 1, Attempt: 1 << 30, Title: title}) + "~1000.prn"
		if len(name) > 255 || strings.ContainsAny(name, "/\x00") || strings.HasPrefix(name, ".") {
			t.Errorf("%q", name)
		}
	})
}
