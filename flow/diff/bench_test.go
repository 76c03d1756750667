package diff

import (
	"fmt"
	"strings"
	"testing"
)

func BenchmarkCompare(b *testing.B) {
	list := func(n int) string {
		var items []string
		for i := range 5000 {
			items = append(items, fmt.Sprintf(`{"id":%d,"name":"item %d","tags":["a","b"],"price":%d.5}`, i, i, i%n))
		}
		return "POST http://a/\nContent-Type: application/json\nX-A: 1\n\n[" + strings.Join(items, ",") + "]"
	}
	x, y := request(list(100)), request(list(4999))
	y.Request.SetBody([]byte(strings.Replace(string(x.Request.Body.Data), `"item 77"`, `"other"`, 1)))
	b.SetBytes(x.Request.Body.Size)
	for b.Loop() {
		if d := Compare(x, y); len(d.Changes) != 1 {
			b.Fatal(len(d.Changes))
		}
	}
}
