package registrytest

import (
	"context"
	"slices"

	"github.com/spoolhost/spoolhost/sdk/registry"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// key is one open key.
type key struct {
	reg    *Registry
	node   *node
	closed bool
}

func (k *key) CreateKey(ctx context.Context, path string) (sub registry.Key, created bool, err error) {
	k.reg.mu.Lock()
	defer k.reg.mu.Unlock()
	if err := k.reg.begin(ctx, k, "CreateKey", path); err != nil {
		return nil, false, err
	}
	n, created := k.node.add(path)
	k.reg.open++
	return &key{reg: k.reg, node: n}, created, nil
}

func (k *key) OpenKey(ctx context.Context, path string) (registry.Key, error) {
	k.reg.mu.Lock()
	defer k.reg.mu.Unlock()
	if err := k.reg.begin(ctx, k, "OpenKey", path); err != nil {
		return nil, err
	}
	n := k.node.find(path)
	if n == nil {
		return nil, missing("key", path)
	}
	k.reg.open++
	return &key{reg: k.reg, node: n}, nil
}

func (k *key) CloseKey(context.Context) error {
	k.reg.mu.Lock()
	defer k.reg.mu.Unlock()
	if k.closed {
		return spoolerr.New(spoolerr.BadHandle, 0, "registry key is closed")
	}
	k.closed = true
	k.reg.open--
	return nil
}

func (k *key) DeleteKey(ctx context.Context, path string) error {
	k.reg.mu.Lock()
	defer k.reg.mu.Unlock()
	if err := k.reg.begin(ctx, k, "DeleteKey", path); err != nil {
		return err
	}
	n := k.node.find(path)
	if n == nil || n == k.node {
		return missing("key", path)
	}
	if len(n.subs) > 0 {
		return spoolerr.New(spoolerr.Denied, 0, "registry key has subkeys")
	}
	n.gone = true
	prune(k.reg.root)
	return nil
}

func prune(n *node) {
	n.subs = slices.DeleteFunc(n.subs, func(s *node) bool { return s.gone })
	for _, s := range n.subs {
		prune(s)
	}
}

func (k *key) EnumKey(ctx context.Context, index uint32) (registry.KeyInfo, error) {
	k.reg.mu.Lock()
	defer k.reg.mu.Unlock()
	if err := k.reg.begin(ctx, k, "EnumKey", ""); err != nil {
		return registry.KeyInfo{}, err
	}
	if int(index) >= len(k.node.subs) {
		return registry.KeyInfo{}, spoolerr.New(spoolerr.NoMoreItems, 0, "no more keys")
	}
	return registry.KeyInfo{Name: k.node.subs[index].name}, nil
}

func (k *key) QueryInfoKey(ctx context.Context) (registry.Info, error) {
	k.reg.mu.Lock()
	defer k.reg.mu.Unlock()
	err := k.reg.begin(ctx, k, "QueryInfoKey", "")
	return registry.Info{SubKeys: uint32(len(k.node.subs)), Values: uint32(len(k.node.values))}, err
}

func (k *key) SetValue(ctx context.Context, values ...registry.Value) error {
	k.reg.mu.Lock()
	defer k.reg.mu.Unlock()
	for _, v := range values {
		if err := k.reg.begin(ctx, k, "SetValue", v.Name); err != nil {
			return err
		}
	}
	for _, v := range values {
		k.node.set(v)
	}
	return nil
}

func (k *key) DeleteValue(ctx context.Context, name string) error {
	k.reg.mu.Lock()
	defer k.reg.mu.Unlock()
	if err := k.reg.begin(ctx, k, "DeleteValue", name); err != nil {
		return err
	}
	i := k.node.value(name)
	if i < 0 {
		return missing("value", name)
	}
	k.node.values = slices.Delete(k.node.values, i, i+1)
	return nil
}

func (k *key) EnumValue(ctx context.Context, index uint32) (registry.Value, error) {
	k.reg.mu.Lock()
	defer k.reg.mu.Unlock()
	if err := k.reg.begin(ctx, k, "EnumValue", ""); err != nil {
		return registry.Value{}, err
	}
	if int(index) >= len(k.node.values) {
		return registry.Value{}, spoolerr.New(spoolerr.NoMoreItems, 0, "no more values")
	}
	return k.node.values[index], nil
}

func (k *key) QueryValue(ctx context.Context, name string) (registry.Value, error) {
	k.reg.mu.Lock()
	defer k.reg.mu.Unlock()
	if err := k.reg.begin(ctx, k, "QueryValue", name); err != nil {
		return registry.Value{}, err
	}
	i := k.node.value(name)
	if i < 0 {
		return registry.Value{}, missing("value", name)
	}
	return k.node.values[i], nil
}
