package registry

import (
	"context"
	"math"

	"github.com/spoolhost/spoolhost/sdk/registry"
)

// key is registry.Key on a Root: MONITORREG in process.
type key struct {
	root   *Root
	handle Handle
}

var _ registry.Key = (*key)(nil)

// Key opens the root key as a module sees it, for use in the host's own process.
func (r *Root) Key(ctx context.Context) (registry.Key, error) {
	return r.wrap(r.Open(ctx))
}

func (r *Root) wrap(h Handle, err error) (registry.Key, error) {
	if err != nil {
		return nil, err
	}
	return &key{root: r, handle: h}, nil
}

func (k *key) CreateKey(ctx context.Context, path string) (registry.Key, bool, error) {
	h, created, err := k.root.CreateKey(ctx, k.handle, path)
	sub, err := k.root.wrap(h, err)
	return sub, created, err
}

func (k *key) OpenKey(ctx context.Context, path string) (registry.Key, error) {
	return k.root.wrap(k.root.OpenKey(ctx, k.handle, path))
}

func (k *key) CloseKey(ctx context.Context) error { return k.root.CloseKey(ctx, k.handle) }

func (k *key) DeleteKey(ctx context.Context, path string) error {
	return k.root.DeleteKey(ctx, k.handle, path)
}

func (k *key) EnumKey(ctx context.Context, index uint32) (registry.KeyInfo, error) {
	return k.root.EnumKey(ctx, k.handle, index)
}

func (k *key) QueryInfoKey(ctx context.Context) (registry.Info, error) {
	return k.root.QueryInfoKey(ctx, k.handle)
}

func (k *key) SetValue(ctx context.Context, values ...registry.Value) error {
	return k.root.SetValue(ctx, k.handle, values...)
}

func (k *key) DeleteValue(ctx context.Context, name string) error {
	return k.root.DeleteValue(ctx, k.handle, name)
}

func (k *key) EnumValue(ctx context.Context, index uint32) (registry.Value, error) {
	return k.root.EnumValue(ctx, k.handle, index, math.MaxUint32)
}

func (k *key) QueryValue(ctx context.Context, name string) (registry.Value, error) {
	return k.root.QueryValue(ctx, k.handle, name, math.MaxUint32)
}
