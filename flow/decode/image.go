package decode

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
)

// Image is what the head of a picture says.
type Image struct {
	Format        string // "PNG"
	Width, Height int    // pixels; 0 where the head does not tell
	Detail        string // "8-bit RGBA, interlaced"; "" nothing
}

// ReadImage reads the head of a picture: PNG, JPEG, GIF, WebP, BMP, ICO, AVIF and HEIC. It looks at what is
// there of data, which may be cut.
func ReadImage(data []byte) (Image, bool) {
	switch {
	case bytes.HasPrefix(data, []byte("\x89PNG\r\n\x1a\n")):
		return png(data), true
	case bytes.HasPrefix(data, []byte("\xff\xd8\xff")):
		return jpeg(data), true
	case bytes.HasPrefix(data, []byte("GIF87a")), bytes.HasPrefix(data, []byte("GIF89a")):
		im := Image{Format: "GIF"}
		if len(data) >= 10 {
			im.Width, im.Height = int(binary.LittleEndian.Uint16(data[6:])), int(binary.LittleEndian.Uint16(data[8:]))
		}
		return im, true
	case len(data) >= 12 && string(data[:4]) == "RIFF" && string(data[8:12]) == "WEBP":
		return webp(data), true
	case len(data) >= 26 && string(data[:2]) == "BM" && binary.LittleEndian.Uint32(data[14:]) >= 40:
		h := int(int32(binary.LittleEndian.Uint32(data[22:])))
		im := Image{Format: "BMP", Width: int(int32(binary.LittleEndian.Uint32(data[18:]))), Height: max(h, -h)}
		if len(data) >= 30 {
			im.Detail = fmt.Sprintf("%d-bit", binary.LittleEndian.Uint16(data[28:]))
		}
		return im, im.Width > 0
	case len(data) >= 8 && bytes.HasPrefix(data, []byte{0, 0, 1, 0}) && data[4] > 0 && data[5] == 0:
		im := Image{Format: "ICO", Width: icoSide(data[6]), Height: icoSide(data[7])}
		if n := data[4]; n > 1 {
			im.Detail = fmt.Sprintf("the first of %d", n)
		}
		return im, true
	case len(data) >= 12 && string(data[4:8]) == "ftyp":
		return heif(data)
	}
	return Image{}, false
}

// png reads the IHDR chunk (PNG, third edition, 11.2.1).
func png(data []byte) Image {
	im := Image{Format: "PNG"}
	if len(data) < 24 || string(data[12:16]) != "IHDR" {
		return im
	}
	im.Width, im.Height = int(binary.BigEndian.Uint32(data[16:])), int(binary.BigEndian.Uint32(data[20:]))
	if len(data) < 29 {
		return im
	}
	kind := map[byte]string{0: "grey", 2: "RGB", 3: "palette", 4: "grey and alpha", 6: "RGBA"}[data[25]]
	im.Detail = strings.TrimSpace(fmt.Sprintf("%d-bit %s", data[24], kind))
	if data[28] == 1 {
		im.Detail += ", interlaced"
	}
	return im
}

// jpeg looks for the frame header, one of the SOF markers (ITU-T T.81, B.2.2).
func jpeg(data []byte) Image {
	im := Image{Format: "JPEG"}
	for i := 2; i+4 <= len(data); {
		if data[i] != 0xff {
			return im
		}
		marker := data[i+1]
		if marker == 0xff { // fill byte
			i++
			continue
		}
		if marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc {
			if i+10 > len(data) {
				return im
			}
			im.Height, im.Width = int(binary.BigEndian.Uint16(data[i+5:])), int(binary.BigEndian.Uint16(data[i+7:]))
			im.Detail = map[byte]string{1: "grey", 3: "colour", 4: "CMYK"}[data[i+9]]
			if marker == 0xc2 {
				im.Detail = strings.TrimPrefix(im.Detail+", progressive", ", ")
			}
			return im
		}
		if marker == 0xda || marker == 0xd9 { // the picture itself, or the end
			return im
		}
		i += 2 + int(binary.BigEndian.Uint16(data[i+2:]))
	}
	return im
}

// webp reads the first chunk (RFC 9649, 2.5 to 2.7).
func webp(data []byte) Image {
	im := Image{Format: "WebP"}
	if len(data) < 30 {
		return im
	}
	switch string(data[12:16]) {
	case "VP8 ":
		im.Width, im.Height = int(binary.LittleEndian.Uint16(data[26:]))&0x3fff, int(binary.LittleEndian.Uint16(data[28:]))&0x3fff
		im.Detail = "lossy"
	case "VP8L":
		bits := binary.LittleEndian.Uint32(data[21:])
		im.Width, im.Height, im.Detail = int(bits&0x3fff)+1, int(bits>>14&0x3fff)+1, "lossless"
	case "VP8X":
		im.Width, im.Height = 1+int(data[24])+int(data[25])<<8+int(data[26])<<16, 1+int(data[27])+int(data[28])<<8+int(data[29])<<16
		if data[20]&2 != 0 {
			im.Detail = "animated"
		}
	}
	return im
}

// icoSide is a side of an icon: 0 stands for 256.
func icoSide(b byte) int {
	if b == 0 {
		return 256
	}
	return int(b)
}

// heif reads the brand and the size property of a HEIF file (ISO/IEC 23008-12, 6.5.3).
func heif(data []byte) (Image, bool) {
	im := Image{}
	switch string(data[8:12]) {
	case "avif", "avis":
		im.Format = "AVIF"
	case "heic", "heix", "mif1", "msf1":
		im.Format = "HEIC"
	default:
		return im, false
	}
	if i := bytes.Index(data, []byte("ispe")); i >= 0 && i+16 <= len(data) {
		im.Width, im.Height = int(binary.BigEndian.Uint32(data[i+8:])), int(binary.BigEndian.Uint32(data[i+12:]))
	}
	return im, true
}

// magics are what files begin with.
var magics = []struct{ bytes, name string }{
	{"%PDF-", "PDF document"},
	{"PK\x03\x04", "ZIP archive (or an office document, a jar, an app)"},
	{"\x1f\x8b", "gzip data"},
	{"\x28\xb5\x2f\xfd", "Zstandard data"},
	{"BZh", "bzip2 data"},
	{"\xfd7zXZ\x00", "xz data"},
	{"7z\xbc\xaf\x27\x1c", "7z archive"},
	{"Rar!\x1a\x07", "RAR archive"},
	{"\x00asm", "WebAssembly module"},
	{"wOFF", "font (WOFF)"},
	{"wOF2", "font (WOFF2)"},
	{"OTTO", "font (OpenType)"},
	{"\x00\x01\x00\x00\x00", "font (TrueType)"},
	{"\x7fELF", "ELF program"},
	{"MZ", "Windows program"},
	{"SQLite format 3\x00", "SQLite database"},
	{"ID3", "MP3 audio"},
	{"OggS", "Ogg audio or video"},
	{"fLaC", "FLAC audio"},
	{"\x1aE\xdf\xa3", "Matroska or WebM video"},
	{"FLV\x01", "Flash video"},
}

// FileKind names what data begins like, "" if that is nothing known. Pictures are ReadImage's.
func FileKind(data []byte) string {
	for _, m := range magics {
		if bytes.HasPrefix(data, []byte(m.bytes)) {
			return m.name
		}
	}
	switch {
	case len(data) >= 12 && string(data[:4]) == "RIFF" && string(data[8:12]) == "WAVE":
		return "WAVE audio"
	case len(data) >= 12 && string(data[4:8]) == "ftyp":
		return "MP4 audio or video"
	}
	return ""
}
