// Package digest is by what server and client know the files of PRINT$: BLAKE3 of their
// content, of 32 bytes, in hex. A client verifies every byte that comes, and SHA-256 without
// the processor's help is slower than the network.
//
// The share and the client side of Point and Print import it.
package digest

import (
	"encoding/hex"
	"hash"
	"strings"

	"github.com/zeebo/blake3"
)

// Name is that of the function, for people; b3sum computes it.
const Name = "BLAKE3"

const size = 32

// New sums up content.
func New() hash.Hash { return blake3.New() }

// Of gives the digest of content.
func Of(content []byte) string {
	sum := blake3.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// Text gives a sum as a digest.
func Text(h hash.Hash) string { return hex.EncodeToString(h.Sum(nil)) }

// Is says whether a text is a digest, in the one form that it has.
func Is(s string) bool {
	b, err := hex.DecodeString(s)
	return err == nil && len(b) == size && strings.ToLower(s) == s
}
