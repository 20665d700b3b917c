//go:build !linux

package wire

import "os"

// DocumentSender is the host's end of a socket for documents; this system has none.
type DocumentSender struct{}

// NewDocumentSocket gives nothing: documents travel in chunks.
func NewDocumentSocket() (host *DocumentSender, module *os.File, err error) { return nil, nil, nil }

// Send does nothing.
func (*DocumentSender) Send(uint64, *os.File) error { return nil }

// Close does nothing.
func (*DocumentSender) Close() error { return nil }

func inheritedDocuments() *Documents { return nil }
