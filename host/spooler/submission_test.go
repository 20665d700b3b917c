package spooler

import (
	"strings"
	"testing"
)

func TestSubmissionKey(t *testing.T) {
	key := strings.Repeat("k", 16)
	a, err := SubmissionKey("0", key)
	if err != nil || len(a) != 64 {
		t.Fatalf("%q, %v", a, err)
	}
	if b, _ := SubmissionKey("1", key); a == b {
		t.Error("two callers have the same key")
	}
	if none, err := SubmissionKey("0", ""); none != "" || err != nil {
		t.Errorf("%q, %v", none, err)
	}
	for _, bad := range []string{"short", strings.Repeat("k", 129), key + "\n", key + "é"} {
		if _, err := SubmissionKey("0", bad); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}
