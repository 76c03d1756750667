package rewrite

import (
	"mime"
	"net/http"
	"path/filepath"
)

// mediaType is the Content-Type of an answer whose rule names none: by the name of its file, else by its beginning.
func mediaType(file string, body []byte) string {
	if t := mime.TypeByExtension(filepath.Ext(file)); file != "" && t != "" {
		return t
	}
	if len(body) > 0 && (body[0] == '{' || body[0] == '[') {
		return "application/json"
	}
	return http.DetectContentType(body)
}
