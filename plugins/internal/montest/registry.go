package montest

import "github.com/spoolhost/spoolhost/sdk/registry/registrytest"

// Registry is a tree of keys in memory.
type Registry = registrytest.Registry

// NewRegistry makes an empty one.
func NewRegistry() *Registry { return registrytest.New() }
