//go:build linux

package hostile

import "sync/atomic"

var sequence atomic.Int64

func outputRows() []row   { return nil }
func processRows() []row  { return nil }
func replyRows() []row    { return nil }
func callbackRows() []row { return nil }
