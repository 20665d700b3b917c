//go:build !linux

package monitortest

import "errors"

func newBlackHole() (*blackHole, error) {
	return nil, errors.New("it can be made on Linux only")
}
