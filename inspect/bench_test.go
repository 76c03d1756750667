package inspect_test

import (
	"context"
	"testing"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/inspect/explain"
)

// BenchmarkExplain is one refused flow with its history, rules warm.
func BenchmarkExplain(b *testing.B) {
	cases := corpus(b)
	var lists [][]*flow.Flow
	for _, c := range cases {
		lists = append(lists, c.flows(b))
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, err := explain.Flows(context.Background(), lists[i%len(lists)], explain.Options{}); err != nil {
			b.Fatal(err)
		}
	}
}
