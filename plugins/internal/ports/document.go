package ports

import (
	"context"
	"time"

	"github.com/spoolhost/spoolhost/sdk/monitor"
	"github.com/spoolhost/spoolhost/sdk/spool"
)

// FileTarget is a Target to which the kernel can carry a file.
type FileTarget interface {
	Target
	// WriteDocument is Write with the bytes that r holds.
	WriteDocument(ctx context.Context, r *spool.DocumentReader) (int64, error)
}

var _ monitor.DocumentWriter = (*Port)(nil)

// WriteDocument is Write with the bytes that r holds. A target that cannot take a file gets
// them in chunks, without a call of the host for each.
func (p *Port) WriteDocument(ctx context.Context, r *spool.DocumentReader) (int64, error) {
	p.call.Lock()
	defer p.call.Unlock()
	j, err := p.Slot.Current()
	if err != nil {
		return 0, err
	}
	if j.broken != nil {
		return 0, j.broken
	}
	write := j.writeChunks
	if t, ok := j.Target.(FileTarget); ok {
		write = t.WriteDocument
	}
	n, err := write(ctx, r)
	j.sent += n
	if n > 0 {
		p.condition.working(ctx)
	}
	return n, p.writeError(ctx, j, err)
}

// writeChunks goes on until the target takes less than it is given, or for a moment: the
// host wants to know how far the document is.
func (j *Job) writeChunks(ctx context.Context, r *spool.DocumentReader) (n int64, err error) {
	const moment = time.Second
	began := time.Now()
	buf := make([]byte, min(r.Len(), spool.ChunkSize))
	for r.Len() > 0 && time.Since(began) < moment {
		got, err := r.Read(buf)
		if err != nil {
			return n, err
		}
		took, err := j.Write(ctx, buf[:got])
		n += int64(took)
		if took < got || err != nil {
			return n, err
		}
	}
	return n, nil
}
