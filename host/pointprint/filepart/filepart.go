// Package filepart carries the parts of a file, ReadFileResponse, without copying their
// bytes: gRPC's own codec allocates, clears and copies each part on both sides, which costs
// more than the verification of a download.
//
// The API's share and the client side of Point and Print import it. On the wire nothing is
// different; either side may be one that does not know of it.
package filepart

import (
	"encoding/binary"
	"math"
	"sync"

	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/proto" // registers the codec for all other messages
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
)

// Part is a ReadFileResponse.
type Part struct {
	// File is that of the first part.
	File *apiv1.ShareFile
	// Data is what the part has of the file. A Part that is sent gives it away; who receives
	// one gives it back with Free.
	Data mem.BufferSlice

	whole mem.BufferSlice // the message that Data lies in
}

// Len is the number of bytes in Data.
func (p *Part) Len() int { return p.Data.Len() }

// Free gives back what was received.
func (p *Part) Free() {
	p.whole.Free()
	*p = Part{}
}

// Codec is gRPC's for protobuf, which carries a *Part as a ReadFileResponse.
func Codec() encoding.CodecV2 { return codec{encoding.GetCodecV2("proto")} }

type codec struct{ encoding.CodecV2 }

// Marshal implements encoding.CodecV2.
func (c codec) Marshal(v any) (mem.BufferSlice, error) {
	if p, ok := v.(*Part); ok {
		return p.marshal()
	}
	return c.CodecV2.Marshal(v)
}

// Unmarshal implements encoding.CodecV2.
func (c codec) Unmarshal(data mem.BufferSlice, v any) error {
	p, ok := v.(*Part)
	if !ok {
		return c.CodecV2.Unmarshal(data, v)
	}
	*p = Part{}
	if p.unmarshal(data) {
		return nil
	}
	whole := &apiv1.ReadFileResponse{}
	err := c.CodecV2.Unmarshal(data, whole)
	*p = Part{File: whole.GetFile(), Data: mem.BufferSlice{mem.SliceBuffer(whole.GetData())}}
	return err
}

// The tags of ReadFileResponse's fields.
const (
	fileTag = 1<<3 | uint64(protowire.BytesType)
	dataTag = 2<<3 | uint64(protowire.BytesType)
)

func (p *Part) marshal() (mem.BufferSlice, error) {
	var head []byte
	if p.File != nil {
		file, err := proto.Marshal(p.File)
		if err != nil {
			return nil, err
		}
		head = protowire.AppendBytes(protowire.AppendVarint(head, fileTag), file)
	}
	if n := p.Data.Len(); n > 0 {
		head = protowire.AppendVarint(protowire.AppendVarint(head, dataTag), uint64(n)) //nolint:gosec // a length
	}
	message := append(mem.BufferSlice{mem.SliceBuffer(head)}, p.Data...)
	p.Data = nil
	return message, nil
}

// unmarshal takes a message in the form that marshal gives it, and says whether it is in that
// form: any other is for protobuf.
func (p *Part) unmarshal(data mem.BufferSlice) bool {
	r := data.Reader()
	defer func() { _ = r.Close() }()
	tag, field := next(r)
	if tag == fileTag {
		file := make([]byte, field)
		_, _ = r.Read(file)
		if p.File = new(apiv1.ShareFile); proto.Unmarshal(file, p.File) != nil {
			return false
		}
		tag, field = next(r)
	}
	if tag != dataTag || field != r.Remaining() {
		return false
	}
	slices, err := r.Peek(field, nil)
	if err != nil {
		return false
	}
	for _, b := range slices {
		p.Data = append(p.Data, mem.SliceBuffer(b))
	}
	data.Ref()
	p.whole = data
	return true
}

// next reads a tag and the length of its field, which is all there; else the tag is 0.
func next(r *mem.Reader) (tag uint64, length int) {
	tag, err := binary.ReadUvarint(r)
	if err != nil {
		return 0, 0
	}
	n, err := binary.ReadUvarint(r)
	if err != nil || n > math.MaxInt32 || int(n) > r.Remaining() {
		return 0, 0
	}
	return tag, int(n)
}

// Pool keeps buffers of one size. Unlike gRPC's it does not clear them: each is filled from
// a file before it is sent.
type Pool struct{ buffers sync.Pool }

// NewPool makes a pool of buffers of size bytes.
func NewPool(size int) *Pool {
	return &Pool{sync.Pool{New: func() any { b := make([]byte, size); return &b }}}
}

// Get implements mem.BufferPool. length is at most the pool's size.
func (p *Pool) Get(length int) *[]byte {
	b, _ := p.buffers.Get().(*[]byte)
	*b = (*b)[:length]
	return b
}

// Put implements mem.BufferPool.
func (p *Pool) Put(b *[]byte) { p.buffers.Put(b) }
