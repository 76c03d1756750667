package har

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/why403/why403/flow"
)

func message(head, body string) *flow.Message {
	h, ok := ParseHead([]byte(head))
	if !ok {
		panic("bad head in test")
	}
	m := &flow.Message{Proto: "HTTP/1.1", Header: h, Head: []byte(head)}
	if body != "" {
		m.SetBody([]byte(body))
	}
	return m
}

func TestRoundTrip(t *testing.T) {
	start := time.Date(2026, 6, 2, 10, 15, 30, 123456000, time.UTC)
	at := func(ms int) time.Time { return start.Add(time.Duration(ms) * time.Millisecond) }
	f := &flow.Flow{ID: 7, Origin: flow.FromImport, Scheme: "https", Authority: "a.test", Conn: flow.Conn{Origin: "10.0.0.1:443"}, Altered: []string{"connection: added"},
		Times: flow.Timings{Start: start, DNSDone: at(2), ConnectStart: at(2), ConnectDone: at(5), TLSDone: at(9), RequestSent: at(10), FirstByte: at(30), End: at(41)}}
	f.Request = message("POST /x?q=%7e HTTP/1.1\r\nHOST:a.test\r\nX-Latin:  caf\xe9\r\nx-folded: a\r\n  b\r\nCookie: a=1;b=2\r\nContent-Length: 4\r\n\r\n", "\x00\xff\r\n")
	f.Request.Method, f.Request.Target = "POST", "/x?q=%7e"
	f.Response = message("HTTP/1.1 403 No Way\r\nServer: x\r\nSet-Cookie: s=1; Path=/; HttpOnly\r\nContent-Length: 14\r\n\r\n", "<p>déni\u2028é</p>")
	f.Response.Status, f.Response.Reason = 403, "No Way"
	f.Response.SetBody(f.Response.Body.Data)
	f.Response.Trailers = flow.Header{{Name: "X-T", Value: "1"}}
	f.Frames = []flow.Frame{
		{FromClient: true, Kind: flow.TextMessage, At: at(50), Size: 7, Data: []byte("hé <\n>")},
		{Kind: flow.TextMessage, Packed: true, Cut: true, At: at(51), Size: 3, Data: []byte("hello hello")},
		{FromClient: true, Kind: flow.BinaryMessage, At: at(52), Size: 2, Data: []byte("\x00\xff")},
		{Kind: flow.CloseMessage, At: at(53), Size: 4, Data: []byte("\x03\xe8ok")},
		{Kind: flow.ServerEvent, At: at(54), Size: 8, Data: []byte("data: 1\n")},
		{FromClient: true, Kind: flow.GRPCMessage, At: at(55), Size: 2, Data: []byte("\x08\xff")},
		{Kind: flow.Remark, At: at(56), Size: 4, Data: []byte("told")},
	}
	child := &flow.Flow{ID: 9, Parent: 7, Origin: flow.FromImport, Scheme: "http", Authority: "a.test", Request: &flow.Message{Method: "GET", Target: "/", Proto: "HTTP/2.0", Header: flow.Header{{Name: "a", Value: "1"}}},
		Err: &flow.Failure{Side: "origin", Op: "dial", Text: "connection refused"}}
	cutBody := &flow.Flow{ID: 10, Origin: flow.FromImport, Scheme: "http", Authority: "a.test", Request: &flow.Message{Method: "POST", Target: "/", Proto: "HTTP/1.1"}, Response: &flow.Message{Status: 200, Proto: "HTTP/1.1"}}
	cutBody.Request.Body = flow.Body{Framing: flow.ByLength, Size: 900, Data: []byte("abc"), Kept: 3}

	var b bytes.Buffer
	err := Write(&b, []*flow.Flow{f, child, cutBody}, Options{Version: "1", Verdict: func(f *flow.Flow) json.RawMessage {
		if f.ID == 7 {
			return json.RawMessage(`{"cause":"x"}`)
		}
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"_resourceType":"websocket"`, `{"type":"send","time":1780395330.173456,"opcode":1,"data":"hé <\n>"}`,
		`{"type":"receive","time":1780395330.174456,"opcode":1,"data":"hello hello","_size":3,"_packed":true,"_cut":true}`,
		`"opcode":2,"data":"AP8="`, `"opcode":8,"data":"A+hvaw=="`, `"kind":"event","data":"data: 1\n"`,
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%s is not written", want)
		}
	}
	if !json.Valid(b.Bytes()) || !strings.Contains(b.String(), `"verdict":{"cause":"x"}`) {
		t.Errorf("written:\n%s", b.String())
	}
	flows, err := Read(&b)
	if err != nil || len(flows) != 3 {
		t.Fatalf("%d flows, error %v", len(flows), err)
	}
	f.ID = 1
	if d := cmp.Diff(f, flows[0]); d != "" {
		t.Error(d)
	}
	if flows[1].Parent != 1 || flows[1].Err == nil || !strings.Contains(flows[1].Err.Text, "connection refused") {
		t.Errorf("child of %d, error %v", flows[1].Parent, flows[1].Err)
	}
	if body := flows[2].Request.Body; body.Size != 900 || !body.Cut() || string(body.Data) != "abc" {
		t.Errorf("cut body: %+v", body)
	}
}

func TestHeadOfAnEditedFileIsNotBelieved(t *testing.T) {
	flows, err := Read(strings.NewReader(archive(`{"request":{"method":"GET","url":"http://a/","headers":[{"name":"A","value":"edited"}]},"response":{"status":200,"headers":[]},"_why403":{"requestHead":"GET / HTTP/1.1\r\nA: old\r\n\r\n"}}`)))
	if err != nil || flows[0].Request.Header.Get("A") != "edited" || flows[0].Request.Head != nil {
		t.Errorf("header %v, error %v", flows[0].Request.Header, err)
	}
}

func TestWriteSaysWhenABodyIsCut(t *testing.T) {
	f := &flow.Flow{Scheme: "http", Authority: "a", Request: &flow.Message{Method: "GET", Target: "/"}, Response: &flow.Message{Status: 200, Body: flow.Body{Size: 10, Data: []byte("abc"), Kept: 3}}}
	var b bytes.Buffer
	if err := Write(&b, []*flow.Flow{f, nil, {}}, Options{}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(b.String(), `"comment":"the recording holds 3 decoded bytes, not all"`) {
		t.Errorf("written: %s", b.String())
	}
}
