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

// certificates are the certificates (DER) of PEM texts, each once, in their
// order. The same text twice, as several variables may name one file, is read once.
func certificates(texts ...[]byte) (ders [][]byte) {
	type sum = [sha256.Size]byte
	read, seen := map[sum]bool{}, map[sum]bool{}
	for _, text := range texts {
		whole := sha256.Sum256(text)
		if read[whole] {
			continue
		}
		read[whole] = true
		for {
			var block *pem.Block
			if block, text = pem.Decode(text); block == nil {
				break
			}
			if one := sha256.Sum256(block.Bytes); block.Type == "CERTIFICATE" && !seen[one] {
				seen[one] = true
				ders = append(ders, block.Bytes)
			}
		}
	}
	return ders
}

// bundle is certificates as PEM, without the comments and keys that stood between them.
func bundle(ders [][]byte) []byte {
	var out bytes.Buffer
	for _, der := range ders {
		_ = pem.Encode(&out, &pem.Block{Type: "CERTIFICATE", Bytes: der})
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
