package mockmonitor

import (
	"context"
	"errors"
	"io"

	"github.com/spoolhost/spoolhost/sdk/monitor"
	"github.com/spoolhost/spoolhost/sdk/spool"
)

// filePort is a port whose documents come by descriptor. It hands them on as those that
// come in chunks, so that a script means the same for both.
type filePort struct{ *port }

var _ monitor.DocumentWriter = filePort{}

// WriteDocument hands over chunks until one is not taken whole.
func (p filePort) WriteDocument(ctx context.Context, r *spool.DocumentReader) (n int64, err error) {
	buf := make([]byte, min(r.Len(), spool.ChunkSize))
	for r.Len() > 0 {
		got, err := r.Read(buf)
		if err != nil && !errors.Is(err, io.EOF) {
			return n, err
		}
		took, err := p.Write(ctx, buf[:got])
		n += int64(took)
		if took < got || err != nil {
			return n, err
		}
	}
	return n, nil
}
