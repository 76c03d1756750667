package launch

import (
	"bytes"
	"crypto/sha256"
	"encoding/pem"
	"io"
	"os"
	"path/filepath"
)

// maxBundle is how many bytes of one file with certificates are read: the roots of a system take some 250 KB.
const maxBundle = 8 << 20

// bundle joins PEM texts: each certificate once, in the order of the texts,
// without the comments and keys that stood between them.
func bundle(texts ...[]byte) []byte {
	var out bytes.Buffer
	seen := map[[sha256.Size]byte]bool{}
	for _, text := range texts {
		for {
			var block *pem.Block
			if block, text = pem.Decode(text); block == nil {
				break
			}
			if sum := sha256.Sum256(block.Bytes); block.Type == "CERTIFICATE" && !seen[sum] {
				seen[sum] = true
				_ = pem.Encode(&out, &pem.Block{Type: block.Type, Bytes: block.Bytes})
			}
		}
	}
	return out.Bytes()
}

// readPEM reads a file with certificates, or all of a folder; nil if it cannot be read.
func readPEM(path string) []byte {
	info, err := os.Stat(path)
	if err != nil {
		return nil
	}
	if !info.IsDir() {
		f, err := os.Open(path)
		if err != nil {
			return nil
		}
		defer func() { _ = f.Close() }()
		text, _ := io.ReadAll(io.LimitReader(f, maxBundle))
		return text
	}
	var all []byte
	entries, _ := os.ReadDir(path)
	for _, e := range entries {
		if name := filepath.Join(path, e.Name()); len(all) < maxBundle && !e.IsDir() {
			all = append(append(all, readPEM(name)...), '\n')
		}
	}
	return all
}
