package demo

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"html"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// answerJSON sends v as the whole body.
func answerJSON(w http.ResponseWriter, status int, v any) {
	answerAs(w, status, "application/json", v)
}

func answerAs(w http.ResponseWriter, status int, contentType string, v any) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.Encode(v) // v is always one of this package's plain values
	body := bytes.TrimSuffix(b.Bytes(), []byte("\n"))
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	w.Write(body)
}

func answerHTML(w http.ResponseWriter, status int, page string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(page)))
	w.WriteHeader(status)
	io.WriteString(w, page)
}

// page is a small HTML document of the shop. Its title is escaped, its body is not.
func page(title, body string) string {
	return "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n  <meta charset=\"utf-8\">\n  <title>" + html.EscapeString(title) +
		" · shop</title>\n  <script src=\"https://cdn.shop.test/app.9f2c.js\" defer></script>\n</head>\n<body>\n" + body + "\n</body>\n</html>\n"
}

// gzipped compresses the answers of next for the clients that ask for it.
func gzipped(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("Vary", "Accept-Encoding")
		if !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			next(w, r)
			return
		}
		z := &gzipWriter{ResponseWriter: w, z: gzip.NewWriter(w)}
		next(z, r)
		z.z.Close()
	}
}

type gzipWriter struct {
	http.ResponseWriter
	z *gzip.Writer
}

func (g *gzipWriter) WriteHeader(status int) {
	g.Header().Del("Content-Length")
	g.Header().Set("Content-Encoding", "gzip")
	g.ResponseWriter.WriteHeader(status)
}

func (g *gzipWriter) Write(p []byte) (int, error) { return g.z.Write(p) }

// handle is a service: its routes, and the Server field that its answers carry.
type handle map[string]http.Handler

func (h handle) as(server string) http.Handler {
	mux := http.NewServeMux()
	for pattern, handler := range h {
		mux.Handle(pattern, handler)
	}
	return named(server, mux)
}

func named(server string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Server", server)
		next.ServeHTTP(w, r)
	})
}
