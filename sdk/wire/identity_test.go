package wire

import (
	"os"
	"strings"
	"testing"
)

// TestReadIdentity: what does not hold certificate and key, or comes with nobody who may
// call, is an error and no server without TLS.
func TestReadIdentity(t *testing.T) {
	for name, text := range map[string]string{"nothing": "", "rubbish": "hello", "endless": strings.Repeat("x", 1<<20)} {
		t.Run(name, func(t *testing.T) {
			path := t.TempDir() + "/identity"
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			f, err := os.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			if config, err := readIdentity(f, ""); err == nil {
				t.Errorf("it gave %+v", config)
			}
			if f.Close() == nil {
				t.Error("it left the file open")
			}
		})
	}
}
