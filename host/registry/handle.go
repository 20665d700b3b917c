package registry

import (
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// opening grants a handle of the key at full if fn, which makes sure of the key,
// succeeds. The handle is reserved first, so that no key is created for one that cannot
// be had.
func (r *Root) opening(full path, fn func() error) (Handle, error) {
	h, err := r.grant(full)
	if err != nil {
		return 0, err
	}
	if err := fn(); err != nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.handles, h)
		return 0, err
	}
	return h, nil
}

func (r *Root) grant(full path) (Handle, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return 0, r.badHandle(0)
	}
	if len(r.handles) >= r.limit.Handles {
		return 0, spoolerr.New(spoolerr.Exhausted, 0,
			"monitor %s has %d registry keys open, its limit; close keys when done with them or raise the limit",
			spool.Quote(r.limit.Owner), len(r.handles))
	}
	h := Handle(r.hive.registry.handles.Add(1))
	r.handles[h] = &openKey{path: full}
	return h, nil
}

// resolve gives the path of a handle, and that of a subkey of it.
func (r *Root) resolve(h Handle, sub string) (base, full path, err error) {
	k, err := r.snapshot(h)
	if err != nil {
		return nil, nil, err
	}
	more, err := parsePath(sub)
	if err != nil {
		return nil, nil, err
	}
	return k.path, k.path.append(more), nil
}

func (r *Root) snapshot(h Handle) (openKey, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	k, ok := r.handles[h]
	if !ok {
		return openKey{}, r.badHandle(h)
	}
	return *k, nil
}

func (r *Root) remember(h Handle, fn func(*openKey)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if k, ok := r.handles[h]; ok {
		fn(k)
	}
}

func (r *Root) badHandle(h Handle) error {
	if r.closed {
		return spoolerr.New(spoolerr.BadHandle, 0, "the registry of monitor %s is closed: its instance was shut down",
			spool.Quote(r.limit.Owner))
	}
	return spoolerr.New(spoolerr.BadHandle, 0, "monitor %s has no open registry key %d; open the key again",
		spool.Quote(r.limit.Owner), h)
}
