package decode

import (
	"bytes"
	"image"
	"image/color"
	"image/gif"
	stdjpeg "image/jpeg"
	stdpng "image/png"
	"testing"
)

func TestReadImage(t *testing.T) {
	pic := image.NewNRGBA(image.Rect(0, 0, 37, 19))
	pic.Set(1, 1, color.NRGBA{1, 2, 3, 100})
	encoded := func(enc func(*bytes.Buffer) error) []byte {
		var b bytes.Buffer
		if err := enc(&b); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	webp := append([]byte("RIFF\x00\x00\x00\x00WEBP"), make([]byte, 18)...)
	lossless := bytes.Clone(webp)
	copy(lossless[12:], "VP8L\x00\x00\x00\x00\x2f\x24\x80\x04\x00") // 37 × 19: (37-1) | (19-1)<<14
	extended := bytes.Clone(webp)
	copy(extended[12:], "VP8X\x0a\x00\x00\x00\x02\x00\x00\x00\x24\x00\x00\x12\x00\x00")
	for _, c := range []struct {
		name string
		data []byte
		want Image
	}{
		{"PNG", encoded(func(b *bytes.Buffer) error { return stdpng.Encode(b, pic) }), Image{"PNG", 37, 19, "8-bit RGBA"}},
		{"JPEG", encoded(func(b *bytes.Buffer) error { return stdjpeg.Encode(b, pic, nil) }), Image{"JPEG", 37, 19, "colour"}},
		{"GIF", encoded(func(b *bytes.Buffer) error { return gif.Encode(b, pic, nil) }), Image{"GIF", 37, 19, ""}},
		{"WebP, lossless", lossless, Image{"WebP", 37, 19, "lossless"}},
		{"WebP, animated", extended, Image{"WebP", 37, 19, "animated"}},
		{"BMP, top down", append([]byte("BM\x00\x00\x00\x00\x00\x00\x00\x00\x36\x00\x00\x00\x28\x00\x00\x00\x25\x00\x00\x00\xed\xff\xff\xff\x01\x00\x18\x00"), 0), Image{"BMP", 37, 19, "24-bit"}},
		{"ICO", []byte("\x00\x00\x01\x00\x02\x00\x10\x00\x00\x00"), Image{"ICO", 16, 256, "the first of 2"}},
		{"AVIF", []byte("\x00\x00\x00\x1cftypavif\x00\x00\x00\x00\x00\x00\x00\x14ispe\x00\x00\x00\x00\x00\x00\x00\x25\x00\x00\x00\x13"), Image{"AVIF", 37, 19, ""}},
	} {
		if got, ok := ReadImage(c.data); !ok || got != c.want {
			t.Errorf("%s: %+v, %v, want %+v", c.name, got, ok, c.want)
		}
		for n := range c.data { // what is cut does not make it fail
			ReadImage(c.data[:n])
		}
	}
	for _, text := range []string{"", "BM is a company", "GIF is a format", `{"a":1}`, "\x00\x00\x01\x00"} {
		if im, ok := ReadImage([]byte(text)); ok {
			t.Errorf("%q is a picture: %+v", text, im)
		}
	}
	if got := FileKind([]byte("%PDF-1.7\n")); got != "PDF document" {
		t.Errorf("PDF: %q", got)
	}
	if got := FileKind([]byte("plain text")); got != "" {
		t.Errorf("text: %q", got)
	}
}
