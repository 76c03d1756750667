package har

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/decode"
)

// Options of Write.
type Options struct {
	Version string // of why403, for log.creator
	// Verdict gives the verdict of a flow as JSON, for _why403; nil: none are written.
	Verdict func(*flow.Flow) json.RawMessage
	Comment string // on the whole archive, for log.comment; "" for none
}

type (
	pair struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	}
	cookie struct {
		Name     string `json:"name"`
		Value    string `json:"value"`
		Path     string `json:"path,omitempty"`
		Domain   string `json:"domain,omitempty"`
		Expires  string `json:"expires,omitempty"`
		HTTPOnly bool   `json:"httpOnly,omitempty"`
		Secure   bool   `json:"secure,omitempty"`
		SameSite string `json:"sameSite,omitempty"`
	}
	postData struct {
		MimeType string `json:"mimeType"`
		Params   []pair `json:"params,omitempty"`
		Text     string `json:"text"`
		Encoding string `json:"encoding,omitempty"`
	}
	request struct {
		Method      string    `json:"method"`
		URL         string    `json:"url"`
		HTTPVersion string    `json:"httpVersion"`
		Cookies     []cookie  `json:"cookies"`
		Headers     []pair    `json:"headers"`
		QueryString []pair    `json:"queryString"`
		PostData    *postData `json:"postData,omitempty"`
		HeadersSize int       `json:"headersSize"`
		BodySize    int64     `json:"bodySize"`
	}
	content struct {
		Size        int64  `json:"size"`
		Compression int64  `json:"compression,omitempty"`
		MimeType    string `json:"mimeType"`
		Text        string `json:"text,omitempty"`
		Encoding    string `json:"encoding,omitempty"`
		Comment     string `json:"comment,omitempty"`
	}
	timings struct {
		Blocked float64 `json:"blocked"`
		DNS     float64 `json:"dns"`
		Connect float64 `json:"connect"`
		SSL     float64 `json:"ssl"`
		Send    float64 `json:"send"`
		Wait    float64 `json:"wait"`
		Receive float64 `json:"receive"`
	}
	note struct {
		ID                 flow.ID         `json:"id,omitempty"`
		Parent             flow.ID         `json:"parent,omitempty"`
		RequestHead        string          `json:"requestHead,omitempty"`
		RequestHeadBase64  string          `json:"requestHeadBase64,omitempty"`
		ResponseHead       string          `json:"responseHead,omitempty"`
		ResponseHeadBase64 string          `json:"responseHeadBase64,omitempty"`
		RequestCut         int64           `json:"requestCut,omitempty"`  // size of a body of which the file holds only a first part
		ResponseCut        int64           `json:"responseCut,omitempty"` // the same, of a body without content coding
		Altered            []string        `json:"altered,omitempty"`
		Messages           []otherMessage  `json:"messages,omitempty"`
		Verdict            json.RawMessage `json:"verdict,omitempty"`
	}
	entry struct {
		StartedDateTime string   `json:"startedDateTime"`
		Time            float64  `json:"time"`
		Request         request  `json:"request"`
		Response        answer   `json:"response"`
		Cache           struct{} `json:"cache"`
		Timings         timings  `json:"timings"`
		ServerIPAddress string   `json:"serverIPAddress,omitempty"`
		Error           string   `json:"_error,omitempty"`
		Note            note     `json:"_why403"`

		ResourceType      string          `json:"_resourceType,omitempty"` // by which Chrome knows a WebSocket
		WebSocketMessages []socketMessage `json:"_webSocketMessages,omitempty"`
	}
)

type answer struct {
	Status      int      `json:"status"`
	StatusText  string   `json:"statusText"`
	HTTPVersion string   `json:"httpVersion"`
	Cookies     []cookie `json:"cookies"`
	Headers     []pair   `json:"headers"`
	Content     content  `json:"content"`
	RedirectURL string   `json:"redirectURL"`
	HeadersSize int      `json:"headersSize"`
	BodySize    int64    `json:"bodySize"`
	Trailers    []pair   `json:"_trailers,omitempty"`
}

// Write writes flows as an archive, entry by entry. Requests keep their bytes; of
// answers the decoded content is written, as HAR wants it. What is no UTF-8 goes as base64.
func Write(w io.Writer, flows []*flow.Flow, o Options) error {
	b := bufio.NewWriterSize(w, 64<<10)
	version, err := json.Marshal(o.Version)
	if err != nil {
		return err
	}
	fmt.Fprintf(b, `{"log":{"version":"1.2","creator":{"name":"why403","version":%s},`, version)
	if o.Comment != "" {
		comment, err := json.Marshal(o.Comment)
		if err != nil {
			return err
		}
		fmt.Fprintf(b, `"comment":%s,`, comment)
	}
	fmt.Fprint(b, `"pages":[],"entries":[`)
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	separator := "\n"
	for _, f := range flows {
		if f == nil || f.Request == nil {
			continue
		}
		fmt.Fprint(b, separator)
		separator = ","
		if err := enc.Encode(entryOf(f, o)); err != nil { // ends with a line break
			return fmt.Errorf("har: write flow %d: %w", f.ID, err)
		}
	}
	fmt.Fprint(b, "]}}\n")
	if err := b.Flush(); err != nil {
		return fmt.Errorf("har: write: %w", err)
	}
	return nil
}

func entryOf(f *flow.Flow, o Options) entry {
	e := entry{StartedDateTime: f.Times.Start.UTC().Format(time.RFC3339Nano), Time: ms(f.Times.Duration()), Request: requestOf(f), Timings: timingsOf(f.Times)}
	if f.Times.Start.IsZero() {
		e.StartedDateTime = time.Unix(0, 0).UTC().Format(time.RFC3339)
	}
	if host, ok := hostOf(f.Conn.Origin); ok && f.Conn.Upstream == "" {
		e.ServerIPAddress = host
	}
	e.Response = answerOf(f)
	if f.Err != nil {
		e.Error = f.Err.Error()
	}
	e.Note = note{ID: f.ID, Parent: f.Parent, Altered: f.Altered}
	if e.WebSocketMessages, e.Note.Messages = messagesOf(f); len(e.WebSocketMessages) > 0 {
		e.ResourceType = "websocket"
	}
	e.Note.RequestHead, e.Note.RequestHeadBase64 = headText(f.Request)
	e.Note.ResponseHead, e.Note.ResponseHeadBase64 = headText(f.Response)
	if b := f.Request.Body; !b.Whole() {
		e.Note.RequestCut = b.Size
	}
	if f.Response != nil && !f.Response.Body.Whole() {
		e.Note.ResponseCut = f.Response.Body.Size
	}
	if o.Verdict != nil {
		if v := o.Verdict(f); json.Valid(v) {
			e.Note.Verdict = v
		}
	}
	return e
}

func hostOf(address string) (string, bool) {
	i := strings.LastIndexByte(address, ':')
	if i <= 0 {
		return "", false
	}
	return strings.Trim(address[:i], "[]"), true
}

func requestOf(f *flow.Flow) request {
	m := f.Request
	r := request{Method: m.Method, URL: f.URL(), HTTPVersion: m.Proto, Headers: pairs(m.Header), Cookies: []cookie{}, QueryString: []pair{}, HeadersSize: headSize(m), BodySize: m.Body.Size}
	for _, c := range decode.Cookies(m.Header) {
		r.Cookies = append(r.Cookies, cookie{Name: c.Name, Value: c.Value})
	}
	for _, p := range decode.Query(f.Query()) {
		if p.RawName != "" || p.HasValue {
			r.QueryString = append(r.QueryString, pair{p.Name, p.Value})
		}
	}
	if len(m.Body.Data) == 0 {
		return r
	}
	r.PostData = &postData{MimeType: m.Header.Get("Content-Type")}
	r.PostData.Text, r.PostData.Encoding = bodyText(m.Body.Data)
	if mediaType, _ := decode.MediaType(m.Header); decode.IsForm(mediaType) && r.PostData.Encoding == "" {
		for _, p := range decode.Form(m.Body.Data) {
			r.PostData.Params = append(r.PostData.Params, pair{p.Name, p.Value})
		}
	}
	return r
}

func answerOf(f *flow.Flow) answer {
	a := answer{HTTPVersion: f.Request.Proto, Cookies: []cookie{}, Headers: []pair{}, HeadersSize: -1, BodySize: -1}
	m := f.Response
	if m == nil {
		if f.Err != nil {
			a.StatusText = f.Err.Text
		}
		return a
	}
	a.Status, a.StatusText, a.HTTPVersion = m.Status, m.Reason, m.Proto
	a.Headers, a.HeadersSize, a.BodySize = pairs(m.Header), headSize(m), m.Body.Size
	if len(m.Trailers) > 0 {
		a.Trailers = pairs(m.Trailers)
	}
	a.RedirectURL = m.Header.Get("Location")
	for _, c := range decode.SetCookies(m.Header) {
		k := cookie{Name: c.Name, Value: c.Value, Path: c.Path, Domain: c.Domain, HTTPOnly: c.HTTPOnly, Secure: c.Secure, SameSite: c.SameSite}
		if !c.Expires.IsZero() {
			k.Expires = c.Expires.Format(time.RFC3339)
		}
		a.Cookies = append(a.Cookies, k)
	}
	a.Content.MimeType = m.Header.Get("Content-Type")
	data, cut, err := decode.Content(m, maxContent)
	a.Content.Size = int64(len(data))
	if err == nil && len(decode.Codings(m.Header)) > 0 {
		a.Content.Compression = int64(len(data)) - m.Body.Size
	}
	a.Content.Text, a.Content.Encoding = bodyText(data)
	if cut && len(data) > 0 {
		a.Content.Comment = "the recording holds " + strconv.Itoa(len(data)) + " decoded bytes, not all"
	}
	return a
}

const maxContent = 256 << 20 // bytes of one answer's decoded content that are written

func bodyText(data []byte) (text, encoding string) {
	if utf8.Valid(data) {
		return string(data), ""
	}
	return base64.StdEncoding.EncodeToString(data), "base64"
}

func pairs(h flow.Header) []pair {
	list := make([]pair, len(h))
	for i, f := range h {
		list[i] = pair{f.Name, f.Value}
	}
	return list
}

// headText is the head byte for byte where it is known, else as HTTP/1 would write it if
// that keeps more than the list of headers can.
func headText(m *flow.Message) (text, encoded string) {
	if m == nil {
		return "", ""
	}
	head := m.Head
	if len(head) == 0 && keepsMore(m.Header) {
		start := m.Method + " " + m.Target + " " + m.Proto
		if m.Status > 0 {
			start = m.Proto + " " + strconv.Itoa(m.Status) + " " + m.Reason
		}
		head = append(head, start+"\r\n"...)
		for _, f := range m.Header {
			head = append(head, f.Line()...)
		}
		head = append(head, "\r\n"...)
	}
	if utf8.Valid(head) {
		return string(head), ""
	}
	return "", base64.StdEncoding.EncodeToString(head)
}

func keepsMore(h flow.Header) bool {
	for _, f := range h {
		if f.Raw != "" || !utf8.ValidString(f.Value) {
			return true
		}
	}
	return false
}

func headSize(m *flow.Message) int {
	if len(m.Head) > 0 {
		return len(m.Head)
	}
	return -1
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// timingsOf splits the time as HAR does; -1 is "not known or did not happen".
func timingsOf(t flow.Timings) timings {
	between := func(from, to time.Time) float64 {
		if from.IsZero() || to.IsZero() || to.Before(from) {
			return -1
		}
		return ms(to.Sub(from))
	}
	r := timings{Blocked: -1, DNS: -1, SSL: between(t.ConnectDone, t.TLSDone)}
	connected := t.ConnectDone
	if !t.TLSDone.IsZero() {
		connected = t.TLSDone
	}
	r.Connect = between(t.ConnectStart, connected)
	if !t.DNSDone.IsZero() {
		r.DNS = between(t.Start, t.DNSDone)
	} else if !t.ConnectStart.IsZero() {
		r.Blocked = between(t.Start, t.ConnectStart)
	}
	sendFrom := connected
	if sendFrom.IsZero() {
		sendFrom = t.Start
	}
	r.Send = max(0, between(sendFrom, t.RequestSent))
	r.Wait = max(0, between(t.RequestSent, t.FirstByte))
	r.Receive = max(0, between(t.FirstByte, t.End))
	return r
}
