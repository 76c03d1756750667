package ui

import (
	"fmt"

	"github.com/why403/why403/flow/decode"
)

// fileFacts says in a line what a body is that is no text, "" if that is not known. size is the whole body's.
func fileFacts(data []byte, bytes int64) string {
	im, ok := decode.ReadImage(data)
	if !ok {
		if kind := decode.FileKind(data); kind != "" {
			return kind + ", " + size(bytes)
		}
		return ""
	}
	text := im.Format + " image"
	if im.Width > 0 && im.Height > 0 {
		text += fmt.Sprintf(", %d × %d pixels", im.Width, im.Height)
	}
	if im.Detail != "" {
		text += ", " + im.Detail
	}
	return text + ", " + size(bytes)
}
