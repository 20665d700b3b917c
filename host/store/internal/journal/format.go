package journal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
)

// The file is a head, and records behind each other, each padded to a multiple of headLen:
//
//	head    magic, version, generation, ID of the store, salt, CRC-32C of that
//	record  magic, CRC-32C, length, number in the generation, writes
//
// A record's sum covers the salt, which is another for each generation: what a generation
// before left in the file, or what somebody had put into a value, is never taken for a record.
const (
	headLen    = 64
	headMagic  = "spooljnl"
	version    = 1
	frameLen   = 16
	frameMagic = 0x6a726563 // "jrec"
	largest    = 256 << 20  // of a file
)

// head is what a generation begins with.
type head struct {
	generation uint64
	id         ID
	salt       [16]byte
}

func table() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

func (h *head) append(b []byte) []byte {
	from := len(b)
	b = append(b, headMagic...)
	b = binary.LittleEndian.AppendUint32(b, version)
	b = binary.LittleEndian.AppendUint64(b, h.generation)
	b = append(b, h.id[:]...)
	b = append(b, h.salt[:]...)
	b = binary.LittleEndian.AppendUint32(b, crc32.Checksum(b[from:], table()))
	return append(b, make([]byte, headLen-(len(b)-from))...)
}

// parseHead reads a head. An empty file, or one whose first head was never synced, has none.
func parseHead(b []byte) (h head, found bool, err error) {
	const fields = len(headMagic) + 4 + 8 + 16 + 16
	if len(b) < headLen || len(bytes.Trim(b[:headLen], "\x00")) == 0 {
		return head{}, false, nil
	}
	if string(b[:len(headMagic)]) != headMagic || binary.LittleEndian.Uint32(b[fields:]) != crc32.Checksum(b[:fields], table()) {
		return head{}, false, fmt.Errorf("%w: its head cannot be read", ErrDamaged)
	}
	b = b[len(headMagic):]
	if v := binary.LittleEndian.Uint32(b); v != version {
		return head{}, false, fmt.Errorf("%w: it has version %d, of a newer host", ErrDamaged, v)
	}
	h.generation = binary.LittleEndian.Uint64(b[4:])
	copy(h.id[:], b[12:])
	copy(h.salt[:], b[28:])
	return h, true, nil
}

func recordLen(n int) int64 { return (int64(n) + frameLen + headLen - 1) / headLen * headLen }

func (h *head) appendRecord(b []byte, seq uint32, writes []byte) []byte {
	from := len(b)
	b = binary.LittleEndian.AppendUint32(b, frameMagic)
	b = binary.LittleEndian.AppendUint32(b, h.sum(seq, writes))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(writes)))
	b = binary.LittleEndian.AppendUint32(b, seq)
	b = append(b, writes...)
	return append(b, make([]byte, recordLen(len(writes))-int64(len(b)-from))...)
}

func (h *head) sum(seq uint32, writes []byte) uint32 {
	var numbers [8]byte
	binary.LittleEndian.PutUint32(numbers[:], seq)
	binary.LittleEndian.PutUint32(numbers[4:], uint32(len(writes)))
	s := crc32.Checksum(h.salt[:], table())
	return crc32.Update(crc32.Update(s, table(), numbers[:]), table(), writes)
}

// record reads the one at the beginning of b.
func (h *head) record(b []byte) (seq uint32, writes []byte, ok bool) {
	if len(b) < frameLen || binary.LittleEndian.Uint32(b) != frameMagic {
		return 0, nil, false
	}
	n := binary.LittleEndian.Uint32(b[8:])
	seq = binary.LittleEndian.Uint32(b[12:])
	if uint64(n) > uint64(len(b)-frameLen) {
		return 0, nil, false
	}
	writes = b[frameLen : frameLen+int(n)]
	return seq, writes, binary.LittleEndian.Uint32(b[4:]) == h.sum(seq, writes)
}

// AppendWrite encodes a write; a nil value is a deletion, and no value is empty.
func AppendWrite(b []byte, key string, value []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(key)))
	b = append(b, key...)
	b = binary.AppendUvarint(b, uint64(len(value)))
	return append(b, value...)
}

// eachWrite decodes what AppendWrite encoded.
func eachWrite(b []byte, fn func(key string, value []byte)) error {
	for len(b) > 0 {
		key, rest, ok1 := field(b)
		value, rest, ok2 := field(rest)
		if !ok1 || !ok2 || len(key) == 0 {
			return fmt.Errorf("%w: a record is not what it should be", ErrDamaged)
		}
		if len(value) == 0 {
			value = nil
		}
		fn(string(key), value)
		b = rest
	}
	return nil
}

func field(b []byte) (f, rest []byte, ok bool) {
	n, used := binary.Uvarint(b)
	if used <= 0 || n > uint64(len(b)-used) {
		return nil, nil, false
	}
	return b[used : used+int(n)], b[used+int(n):], true
}

// Load reads what the file holds, goes on behind it, and gives the generation; 0 is nothing.
// The last record may be torn, for it was never acknowledged; if one behind what cannot be
// read is whole, the file is damaged. values may be kept.
func (j *Journal) Load(fn func(key string, value []byte)) (generation uint64, err error) {
	data, err := j.read()
	if err != nil {
		return 0, err
	}
	h, found, err := parseHead(data)
	if err != nil || !found {
		return 0, err
	}
	j.head, j.end, j.size, j.seq = h, headLen, int64(len(data)), 0
	for {
		seq, writes, ok := h.record(data[min(j.end, j.size):])
		if !ok || seq != j.seq+1 {
			break
		}
		if err := eachWrite(writes, fn); err != nil {
			return 0, err
		}
		j.seq, j.end = seq, j.end+recordLen(len(writes))
	}
	for at := j.end; at < j.size; at += headLen {
		if _, _, whole := h.record(data[at:]); whole {
			return 0, fmt.Errorf("%w: record %d cannot be read, and others follow it", ErrDamaged, j.seq+1)
		}
	}
	if j.seq == 0 {
		j.head, j.end = head{}, 0 // it began, and nothing was acknowledged
	}
	return j.head.generation, nil
}

func (j *Journal) read() ([]byte, error) {
	info, err := os.Stat(j.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil && info.Size() > largest {
		err = fmt.Errorf("%w: it has %d bytes", ErrDamaged, info.Size())
	}
	if err != nil {
		return nil, err
	}
	return os.ReadFile(j.path)
}

// Owner gives the store that the loaded generation belongs to.
func (j *Journal) Owner() ID { return j.head.id }
