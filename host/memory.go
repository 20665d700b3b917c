package host

import (
	"context"
	"time"
)

// relax gives back, soon after the start and then now and then, the memory through which
// the store's file was read: with ten thousand printers that is half of all, and hardly any
// of it is needed again.
func (h *Host) relax(ctx context.Context) {
	const first, most = 500 * time.Millisecond, time.Minute
	for pause := first; ; pause = min(2*pause, most) {
		t := time.NewTimer(pause)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return
		}
		if s, can := h.store.(interface{ Forget() error }); can {
			if err := s.Forget(); err != nil {
				h.cfg.Logger.Debug("memory of the store is kept", "error", err)
			}
		}
	}
}
