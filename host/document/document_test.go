package document

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/cespare/xxhash/v2"
	"go.uber.org/goleak"

	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

func TestMain(m *testing.M) {
	if runChild() {
		return
	}
	goleak.VerifyTestMain(m)
}

func open(t testing.TB, dir string, opts Options) *Store {
	t.Helper()
	s, err := Open(dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func submit(t testing.TB, s *Store, data []byte) Ref {
	t.Helper()
	w, err := s.Create(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	ref, err := w.Commit(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

func files(t testing.TB, s *Store) []string {
	t.Helper()
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func wants(t testing.TB, err error, kind spoolerr.Kind, code spoolerr.Code) {
	t.Helper()
	if !errors.Is(err, kind) || !errors.Is(err, code) {
		t.Errorf("got %v (%v, %d), want %v, %d", err, spoolerr.KindOf(err), spoolerr.CodeOf(err), kind, code)
	}
}

func TestRoundTrip(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "documents")
	s := open(t, dir, Options{})
	for _, size := range []int{0, 1, 10_000, smallLen, smallLen + 1, MaxInline, MaxInline + 1, 3*bufferLen + 1, writeOutLen + 1} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			data := bytes.Repeat([]byte("spoolhost "), size/10+1)[:size]
			w, err := s.Create(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			n, err := io.Copy(w, iotest.HalfReader(bytes.NewReader(data)))
			if n != int64(size) || w.Size() != n || err != nil {
				t.Fatalf("copied %d, %v", n, err)
			}
			ref, err := w.Commit(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if ref.Size != n || ref.Digest != fmt.Sprintf("xxh64:%016x", xxhash.Sum64(data)) {
				t.Errorf("ref %+v", ref)
			}
			checkRead(t, s, ref, data)
		})
	}
	for name, want := range map[string]fs.FileMode{dir: fs.ModeDir | 0o700, filepath.Join(dir, files(t, s)[0]): 0o600, filepath.Join(dir, files(t, s)[1]): 0o600} {
		if info, err := os.Stat(name); err != nil || info.Mode() != want {
			t.Errorf("%s has the mode %v, %v", name, info.Mode(), err)
		}
	}
}

func checkRead(t *testing.T, s *Store, ref Ref, data []byte) {
	t.Helper()
	text, err := json.Marshal(ref)
	if err != nil {
		t.Fatal(err)
	}
	var back Ref
	if err := json.Unmarshal(text, &back); err != nil || back != ref {
		t.Errorf("%s came back as %+v, %v", text, back, err)
	}
	if err := s.Verify(t.Context(), back); err != nil {
		t.Error(err)
	}
	d, err := s.Open(t.Context(), back)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(io.NewSectionReader(d, 0, d.Size()))
	if !bytes.Equal(got, data) || err != nil {
		t.Errorf("read %d bytes, %v", len(got), err)
	}
	if alone := len(data) > MaxInline; alone != (d.File() != nil) {
		t.Errorf("a document of %d bytes has a file of its own: %v", len(data), !alone)
	}
	if n, err := d.ReadAt(make([]byte, 2), d.Size()-1); n > 1 || !errors.Is(err, io.EOF) {
		t.Errorf("beyond the end %d bytes were read, %v", n, err)
	}
	if err := errors.Join(d.Close(), d.Close()); err != nil {
		t.Error(err)
	}
}

func TestAbort(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	w, err := s.Create(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, _ = w.Write([]byte("abc"))
	if err := errors.Join(w.Abort(), w.Abort()); err != nil {
		t.Error(err)
	}
	_, err = w.Write([]byte("abc"))
	wants(t, err, spoolerr.Precondition, spoolerr.CodeInvalidHandle)
	_, err = w.Commit(t.Context())
	wants(t, err, spoolerr.Precondition, spoolerr.CodeInvalidHandle)
	if left := files(t, s); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}

	w, _ = s.Create(t.Context())
	ref, err := w.Commit(t.Context())
	if err = errors.Join(err, w.Abort()); err != nil {
		t.Error(err)
	}
	if err := s.Verify(t.Context(), ref); err != nil {
		t.Errorf("abort after commit did harm: %v", err)
	}
	_, err = w.Commit(t.Context())
	wants(t, err, spoolerr.Precondition, spoolerr.CodeInvalidHandle)
	if err := s.Verify(t.Context(), ref); err != nil {
		t.Errorf("a second commit did harm: %v", err)
	}
}

func TestDoneContext(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	w, err := s.Create(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	done, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = w.Commit(done)
	wants(t, err, spoolerr.Cancelled, spoolerr.CodeCancelled)
	ref := submit(t, s, long("abc"))
	_, create := s.Create(done)
	_, read := s.Open(done, ref)
	_, sweep := s.Sweep(done, only(ref))
	for _, err := range []error{create, read, s.Verify(done, ref), s.Remove(done, ref.ID), sweep} {
		wants(t, err, spoolerr.Cancelled, spoolerr.CodeCancelled)
	}
	if left := files(t, s); !slices.Equal(left, []string{ref.ID}) {
		t.Errorf("left: %q", left)
	}
}

func TestDamage(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	ref := submit(t, s, long("some document"))
	name := filepath.Join(s.dir, ref.ID)
	if err := os.WriteFile(name, long("same document"), 0o600); err != nil {
		t.Fatal(err)
	}
	err := s.Verify(t.Context(), ref)
	wants(t, err, spoolerr.Corrupt, spoolerr.CodeInvalidData)
	for _, word := range []string{ref.ID, "cancel the job and submit it again"} {
		if !strings.Contains(fmt.Sprint(err), word) {
			t.Errorf("%q does not say %q", err, word)
		}
	}
	if err := os.Truncate(name, 3); err != nil {
		t.Fatal(err)
	}
	_, err = s.Open(t.Context(), ref)
	wants(t, err, spoolerr.Corrupt, spoolerr.CodeInvalidData)
	if err := s.Remove(t.Context(), ref.ID); err != nil {
		t.Error(err)
	}
	if err := s.Remove(t.Context(), ref.ID); err != nil {
		t.Errorf("removing what is gone: %v", err)
	}
	_, err = s.Open(t.Context(), ref)
	wants(t, err, spoolerr.NotFound, spoolerr.CodeSpoolFileNotFound)
	wants(t, s.Verify(t.Context(), ref), spoolerr.NotFound, spoolerr.CodeSpoolFileNotFound)
	if err := os.Mkdir(name, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err = s.Open(t.Context(), ref); err == nil {
		t.Error("a directory was opened as a document")
	}
}

// TestOldDigest: records of hosts that noted SHA-256 stay readable.
func TestOldDigest(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	ref := submit(t, s, []byte("of an older host"))
	sum := sha256.Sum256([]byte("of an older host"))
	ref.Digest, ref.SHA256 = "", hex.EncodeToString(sum[:])
	if err := s.Verify(t.Context(), ref); err != nil {
		t.Error(err)
	}
	ref.SHA256 = strings.Repeat("0", 64)
	wants(t, s.Verify(t.Context(), ref), spoolerr.Corrupt, spoolerr.CodeInvalidData)
}

func TestBadIDs(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "documents"), Options{})
	outside := filepath.Join(filepath.Dir(s.dir), "secret")
	if err := os.WriteFile(outside, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"", ".", "..", "../secret", outside, strings.Repeat("A", 32), strings.Repeat("a", 31),
		strings.Repeat("a", 33), strings.Repeat("a", 31) + "/", strings.Repeat("a", 27) + ".part", strings.Repeat("a", 31) + "\x00",
		strings.Repeat("a", 32) + "-0", strings.Repeat("a", 32) + "-0-10/", strings.Repeat("a", 32) + "--1-1", "../" + strings.Repeat("a", 29) + "-0-1",
		strings.Repeat("a", 32) + "-00-1", strings.Repeat("a", 32) + "-0-fffffff", strings.Repeat("a", 32) + "-fffffff-1"} {
		_, err := s.Open(t.Context(), Ref{ID: id})
		wants(t, err, spoolerr.Invalid, spoolerr.CodeInvalidParameter)
		wants(t, s.Remove(t.Context(), id), spoolerr.Invalid, spoolerr.CodeInvalidParameter)
	}
	link := strings.Repeat("a", 32)
	if err := os.Symlink("../secret", filepath.Join(s.dir, link)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Open(t.Context(), Ref{ID: link}); err == nil {
		t.Error("a link out of the directory was followed")
	}
}

// long gives a document that gets a file of its own.
func long(text string) []byte { return append(make([]byte, MaxInline), text...) }

// only gives the ids of live documents as Sweep wants them.
func only(refs ...Ref) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for _, r := range refs {
			if !yield(r.ID, nil) {
				return
			}
		}
	}
}

func TestSweep(t *testing.T) {
	dir := t.TempDir()
	earlier := open(t, dir, Options{})
	kept, orphan := submit(t, earlier, long("kept")), submit(t, earlier, long("orphan"))
	unended, err := earlier.Create(t.Context())
	if err == nil {
		_, err = unended.Write(long("unended"))
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unended.Abort() }()
	ofOldHost := strings.Repeat("a", 32) + unfinished
	for _, name := range []string{"README", ofOldHost} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	patient := open(t, dir, Options{Grace: time.Hour})
	if n, err := patient.Sweep(t.Context(), only(kept)); n != 0 || err != nil {
		t.Errorf("within the grace %d were removed, %v", n, err)
	}
	s := open(t, dir, Options{})
	fresh := submit(t, s, long("of this life"))
	w, err := s.Create(t.Context())
	if err == nil {
		_, err = w.Write(long("under way"))
	}
	if err != nil {
		t.Fatal(err)
	}
	oops := errors.New("oops")
	if n, err := s.Sweep(t.Context(), func(yield func(string, error) bool) { yield("", oops) }); n != 0 || !errors.Is(err, oops) {
		t.Errorf("without knowing what is live %d were removed, %v", n, err)
	}
	if n, err := s.Sweep(t.Context(), only(kept)); n != 3 || err != nil {
		t.Errorf("%d were removed, %v", n, err)
	}
	want := []string{"README", kept.ID, fresh.ID, w.name}
	slices.Sort(want)
	if left := files(t, s); !slices.Equal(left, want) {
		t.Errorf("left %q, want %q; the orphan is %s", left, want, orphan.ID)
	}
	if _, err := w.Commit(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestClose(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Error(err)
	}
	if _, err := s.Create(t.Context()); !errors.Is(err, spoolerr.Unavailable) {
		t.Errorf("create after close: %v", err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(file, Options{}); err == nil {
		t.Error("a file was opened as a directory")
	}
}

func TestManyWriters(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	refs := make([]Ref, 64)
	var wg sync.WaitGroup
	for i := range refs {
		wg.Go(func() { refs[i] = submit(t, s, fmt.Append(nil, "document ", i)) })
	}
	wg.Wait()
	for _, ref := range refs {
		if err := s.Verify(t.Context(), ref); err != nil {
			t.Error(err)
		}
	}
	if n := len(files(t, s)); n != 1 {
		t.Errorf("%d files", n)
	}
}

func BenchmarkCommit10KB(b *testing.B) {
	for _, n := range []int{1, 8, 64} {
		b.Run(fmt.Sprint("goroutines=", n), func(b *testing.B) {
			s := open(b, b.TempDir(), Options{})
			data := make([]byte, 10_000)
			var wg sync.WaitGroup
			b.ResetTimer()
			for g := range n {
				wg.Go(func() {
					for i := g; i < b.N; i += n {
						submit(b, s, data)
					}
				})
			}
			wg.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "documents/s")
		})
	}
}

func BenchmarkLarge(b *testing.B) {
	s := open(b, b.TempDir(), Options{})
	data := make([]byte, 256<<20)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		w, err := s.Create(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.Copy(w, struct{ io.Reader }{bytes.NewReader(data)}); err != nil {
			b.Fatal(err)
		}
		ref, err := w.Commit(b.Context())
		if err = errors.Join(err, s.Remove(b.Context(), ref.ID)); err != nil {
			b.Fatal(err)
		}
	}
}
