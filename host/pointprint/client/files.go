package client

import (
	"context"
	"errors"
	"hash"
	"io"
	"io/fs"
	"os"
	"time"

	"google.golang.org/grpc"

	"github.com/spoolhost/spoolhost/host/pointprint/confine"
	"github.com/spoolhost/spoolhost/host/pointprint/digest"
	"github.com/spoolhost/spoolhost/host/pointprint/filepart"
	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// The bounds of what one connection copies.
const (
	maxFiles = 4096
	maxFile  = 4 << 30  // bytes
	maxTotal = 32 << 30 // bytes
)

// holding is a file in the tree and the connections that need it.
type holding struct {
	file File
	by   map[string]Name
}

// hold notes that a connection needs a file.
func (c *Client) hold(n Name, f File) {
	c.mu.Lock()
	defer c.mu.Unlock()
	h := c.held[f.place()]
	if h == nil {
		h = &holding{by: make(map[string]Name)}
		c.held[f.place()] = h
	}
	h.file = f
	h.by[n.fold()] = n
}

// mayHave refuses a file in the place of one that a connection to another server needs. The
// connections of one server share their files, and a new version comes for all of them.
func (c *Client) mayHave(n Name, f File) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	h := c.held[f.place()]
	if h == nil || h.file.Digest == f.Digest {
		return nil
	}
	for _, other := range h.by {
		if spool.Fold(other.Server) != spool.Fold(n.Server) {
			return spoolerr.New(spoolerr.Exists, 0, "%s is there already with another content, which connection %s needs; delete that connection first, or have one of the files renamed on its server",
				f.path(c.cfg.Tree.Dir()), other)
		}
	}
	return nil
}

func (f File) path(dir string) string { return append(f.Dir[:len(f.Dir):len(f.Dir)], f.Name).Path(dir) }

// letGo notes which files a connection still needs, and removes those that nobody does.
func (c *Client) letGo(n Name, needs []File) (removed []File, err error) {
	kept := make(map[string]bool)
	for _, f := range needs {
		kept[f.place()] = true
	}
	c.mu.Lock()
	for place, h := range c.held {
		if h.by[n.fold()] == (Name{}) || kept[place] {
			continue
		}
		if delete(h.by, n.fold()); len(h.by) == 0 {
			delete(c.held, place)
			removed = append(removed, h.file)
		}
	}
	c.mu.Unlock()
	var errs []error
	for _, f := range removed {
		errs = append(errs, c.remove(f))
	}
	return removed, errors.Join(errs...)
}

func (c *Client) remove(f File) error {
	dir, err := c.cfg.Tree.Open(f.Dir, false)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	err = dir.Remove(f.Name)
	_ = dir.Close()
	c.cfg.Tree.Prune(f.Dir)
	return err
}

// download is a file on its way.
type download struct {
	remote *remote
	// source is the path in the share.
	source string
	file   File
	policy confine.Policy
	// moved is told the bytes that came over the network.
	moved func(n int)
}

// fetch brings a file to its place, if it is not there with this content, and says how many
// bytes it moved. What came before a cut is kept, also from an earlier life.
func (c *Client) fetch(ctx context.Context, d download) (present bool, err error) {
	if err := c.mayHave(d.remote.name, d.file); err != nil {
		return false, err
	}
	unlock, err := c.lock(ctx, "file "+d.file.place())
	if err != nil {
		return false, err
	}
	defer unlock()
	dir, err := c.cfg.Tree.Open(d.file.Dir, true)
	if err != nil {
		return false, err
	}
	defer func() { _ = dir.Close() }()
	c.hold(d.remote.name, d.file)
	if d.isThere(dir) {
		return true, nil
	}
	label := d.file.Digest[:32]
	checked, err := d.into(ctx, dir, label)
	if err != nil {
		return false, spoolerr.Wrap(err, "%s", d.source)
	}
	return false, finished(dir.Finish(label, d.file.Name, checked), d.source)
}

// finished gives an error of the file system a kind.
func finished(err error, source string) error {
	if spoolerr.KindOf(err) == spoolerr.Denied {
		return spoolerr.Wrap(err, "%s", source)
	}
	return spoolerr.As(err, spoolerr.Unavailable, "%s", source)
}

// isThere says that the file is in its place, with this content, read in full.
func (d download) isThere(dir *confine.Dir) bool {
	f, err := dir.Open(d.file.Name)
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }()
	if info, err := f.Stat(); err != nil || info.Size() != d.file.Size {
		return false
	}
	sum := digest.New()
	_, err = io.Copy(sum, f)
	return err == nil && digest.Text(sum) == d.file.Digest && d.policy.CheckContent(d.file.Name, f, d.file.Size) == nil
}

// into fills the unfinished file, and says which one that is. One whose content is not what was
// announced, or is not allowed, is removed.
func (d download) into(ctx context.Context, dir *confine.Dir, label string) (checked fs.FileInfo, err error) {
	f, err := dir.Partial(label)
	if err != nil {
		return nil, spoolerr.As(err, spoolerr.Unavailable, "it cannot be written")
	}
	defer func() {
		err = errors.Join(err, f.Close())
		if kind := spoolerr.KindOf(err); kind == spoolerr.Corrupt || kind == spoolerr.Denied || kind == spoolerr.NotFound {
			_ = dir.DropPartial(label)
		}
	}()
	if err := d.fill(ctx, f); err != nil {
		return nil, err
	}
	checked, err = f.Stat()
	return checked, spoolerr.As(err, spoolerr.Unavailable, "it cannot be looked at")
}

// fill brings what is missing of a file and checks the whole.
func (d download) fill(ctx context.Context, f *os.File) error {
	sum, at, err := resume(f, d.file.Size)
	if err != nil {
		return spoolerr.As(err, spoolerr.Unavailable, "what came of it earlier cannot be read")
	}
	if err := d.rest(ctx, io.MultiWriter(f, sum), at); err != nil {
		return err
	}
	if got := digest.Text(sum); got != d.file.Digest {
		return spoolerr.New(spoolerr.Corrupt, 0, "its content is not what the server announced (digest %s, and not %s); nothing of it is kept", got, d.file.Digest)
	}
	if err := d.policy.CheckContent(d.file.Name, f, d.file.Size); err != nil {
		return err
	}
	return spoolerr.As(f.Sync(), spoolerr.Unavailable, "it cannot be made durable")
}

// rest brings what is missing, from one address after the other; a server that is cut off or
// starts anew is waited for.
func (d download) rest(ctx context.Context, to io.Writer, at int64) error {
	pause := backoff{first: 100 * time.Millisecond, most: 5 * time.Second}
	for failures := 0; ; {
		before := at
		err := d.remote.try(ctx, func(ctx context.Context, l *link) error {
			n, err := d.receive(ctx, l, to, at)
			at += n
			return err
		})
		if failures++; at > before {
			failures, pause.last = 0, 0
		}
		if !passing(err) || failures == tries {
			return err
		}
		if err := pause.wait(ctx); err != nil {
			return err
		}
	}
}

// tries is how often a download is tried without a byte more.
const tries = 6

// resume goes on behind what an unfinished file has.
func resume(f *os.File, size int64) (sum hash.Hash, at int64, err error) {
	sum = digest.New()
	info, err := f.Stat()
	if err != nil {
		return nil, 0, err
	}
	if info.Size() > size {
		if err := f.Truncate(0); err != nil {
			return nil, 0, err
		}
	}
	at, err = io.Copy(sum, f)
	return sum, at, err
}

// stall is how long a server may send nothing of a file; slowest is the least number of bytes
// a second over the whole of it.
const (
	stall   = 30 * time.Second
	slowest = 16 << 10
)

// receive takes the rest of a file from one address.
func (d download) receive(ctx context.Context, l *link, to io.Writer, at int64) (n int64, err error) {
	left := d.file.Size - at
	if left == 0 {
		return 0, nil
	}
	ctx, cancel := context.WithTimeout(ctx, stall+time.Duration(left/slowest)*time.Second)
	defer cancel()
	silence := time.AfterFunc(stall, cancel)
	defer silence.Stop()
	stream, err := l.share.ReadFile(ctx, &apiv1.ReadFileRequest{
		Spooler: d.remote.to(), Path: d.source, Offset: at, Length: left, Digest: d.file.Digest,
	}, grpc.ForceCodecV2(filepart.Codec()))
	if err != nil {
		return 0, err
	}
	for {
		var part filepart.Part
		err := stream.RecvMsg(&part)
		silence.Reset(stall)
		switch {
		case ended(err) && n == left:
			return n, nil
		case ended(err):
			return n, spoolerr.New(spoolerr.Unavailable, 0, "the server sent %d of %d bytes; what came is kept", at+n, d.file.Size)
		case err != nil:
			return n, err
		}
		got, err := d.take(&part, to, left-n)
		if n += got; err != nil {
			return n, err
		}
	}
}

// take writes a part and gives it back.
func (d download) take(part *filepart.Part, to io.Writer, left int64) (n int64, err error) {
	defer part.Free()
	if int64(part.Len()) > left {
		return 0, spoolerr.New(spoolerr.Corrupt, 0, "the server sends more than the %d bytes that it announced; nothing of it is kept", d.file.Size)
	}
	for _, b := range part.Data {
		if _, err := to.Write(b.ReadOnlyData()); err != nil {
			return n, spoolerr.As(err, spoolerr.NoSpace, "it cannot be written")
		}
		n += int64(b.Len())
	}
	d.moved(int(n))
	return n, nil
}
