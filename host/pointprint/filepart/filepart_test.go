package filepart

import (
	"bytes"
	"testing"

	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
)

// frames cuts a message as a connection does, into buffers of a pool that notes what it gets
// back.
func frames(message []byte, size int, pool mem.BufferPool) (s mem.BufferSlice) {
	for len(message) > 0 {
		n := min(size, len(message))
		b := bytes.Clone(message[:n])
		s, message = append(s, mem.NewBuffer(&b, pool)), message[n:]
	}
	return s
}

// returned counts the buffers that came back.
type returned struct{ n int }

func (r *returned) Get(n int) *[]byte { b := make([]byte, n); return &b }
func (r *returned) Put(*[]byte)       { r.n++ }

func whole(data mem.BufferSlice) (b []byte) {
	for _, part := range data {
		b = append(b, part.ReadOnlyData()...)
	}
	return b
}

// TestOnTheWire: what is sent is a ReadFileResponse, byte for byte as protobuf has it, and its
// buffer comes back once it has gone.
func TestOnTheWire(t *testing.T) {
	content := bytes.Repeat([]byte("spool"), 1000)
	for name, m := range map[string]*apiv1.ReadFileResponse{
		"nothing":    {},
		"empty file": {File: &apiv1.ShareFile{Path: `Color\a.icm`}},
		"first":      {File: &apiv1.ShareFile{Path: `Color\a.icm`, Size: 5000}, Data: content},
		"later":      {Data: content},
	} {
		pool := &returned{}
		data := bytes.Clone(m.GetData())
		sent, err := Codec().Marshal(&Part{File: m.GetFile(), Data: mem.BufferSlice{mem.NewBuffer(&data, pool)}})
		if err != nil {
			t.Fatal(err)
		}
		want, err := proto.Marshal(m)
		if got := whole(sent); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %d bytes, %d wanted, %v", name, len(got), len(want), err)
		}
		if sent.Free(); len(data) > 0 && pool.n != 1 {
			t.Errorf("%s: the buffer came back %d times", name, pool.n)
		}
	}
}

// TestReceived: what is received stays until it is given back, and no longer.
func TestReceived(t *testing.T) {
	content := bytes.Repeat([]byte("0123456789"), 6000)
	message, err := proto.Marshal(&apiv1.ReadFileResponse{File: &apiv1.ShareFile{Size: 60000}, Data: content})
	if err != nil {
		t.Fatal(err)
	}
	pool := &returned{}
	data := frames(message, 16<<10, pool)
	var p Part
	if err := Codec().Unmarshal(data, &p); err != nil {
		t.Fatal(err)
	}
	data.Free() // as gRPC does
	if got := whole(p.Data); !bytes.Equal(got, content) || p.Len() != len(content) || p.File.GetSize() != 60000 || pool.n != 0 {
		t.Errorf("%d bytes of %v, %d buffers are back", len(got), p.File, pool.n)
	}
	if p.Free(); pool.n != len(data) {
		t.Errorf("%d of %d buffers are back", pool.n, len(data))
	}
}

// TestOthers: all other messages are protobuf's.
func TestOthers(t *testing.T) {
	sent, err := Codec().Marshal(&apiv1.ReadFileRequest{Path: "a"})
	if err != nil {
		t.Fatal(err)
	}
	got := &apiv1.ReadFileRequest{}
	if err := Codec().Unmarshal(sent, got); err != nil || got.GetPath() != "a" {
		t.Errorf("%v, %v", got, err)
	}
}

// FuzzUnmarshal: a part is what protobuf reads of the same bytes, in whatever pieces they come.
func FuzzUnmarshal(f *testing.F) {
	for _, m := range []*apiv1.ReadFileResponse{{}, {Data: []byte("abc")}, {File: &apiv1.ShareFile{Path: "p", Size: 3}, Data: []byte("abc")}} {
		seed, _ := proto.Marshal(m)
		f.Add(seed, 2)
		f.Add(append(seed, seed...), 5)
		f.Add(protowire.AppendVarint(protowire.AppendTag(seed, 9, protowire.VarintType), 7), 1)
	}
	f.Add([]byte{0x12, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01}, 3)
	f.Fuzz(func(t *testing.T, message []byte, size int) {
		want := &apiv1.ReadFileResponse{}
		wantErr := proto.Unmarshal(message, want)
		data := frames(message, max(1, size&0xff), &returned{})
		var p Part
		err := Codec().Unmarshal(data, &p)
		data.Free()
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("%v, and protobuf says %v", err, wantErr)
		}
		if err == nil && (!bytes.Equal(whole(p.Data), want.GetData()) || !proto.Equal(p.File, want.GetFile())) {
			t.Fatalf("%v %q, and protobuf says %v", p.File, whole(p.Data), want)
		}
		p.Free()
	})
}
