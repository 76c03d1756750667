package har

import (
	"fmt"
	"strings"
	"testing"

	"github.com/why403/why403/flow"
)

func BenchmarkEach(b *testing.B) {
	var entries []string
	for i := range 1000 {
		entries = append(entries, fmt.Sprintf(`{"startedDateTime":"2026-06-02T10:15:30.123Z","time":41.5,"request":{"method":"POST","url":"https://api.test/o/%d","httpVersion":"http/2.0","headers":[%s],"postData":{"mimeType":"application/json","text":"{\"a\":1}"}},"response":{"status":403,"statusText":"","httpVersion":"http/2.0","headers":[%s],"content":{"size":4000,"mimeType":"text/html","text":"%s"}},"timings":{"send":1,"wait":38,"receive":1}}`,
			i, strings.TrimSuffix(strings.Repeat(`{"name":"x-header-name","value":"a value of usual length"},`, 15), ","), strings.TrimSuffix(strings.Repeat(`{"name":"x-header-name","value":"a value of usual length"},`, 12), ","), strings.Repeat("text ", 800)))
	}
	text := archive(entries...)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		if err := Each(strings.NewReader(text), func(*flow.Flow) error { n++; return nil }); err != nil || n != 1000 {
			b.Fatal(n, err)
		}
	}
}
