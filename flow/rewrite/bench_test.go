package rewrite_test

import (
	"testing"
	"time"

	"github.com/why403/why403/flow/filter"
	"github.com/why403/why403/flow/rewrite"
)

// BenchmarkNoRule is what every message pays, BenchmarkNoMatch what one pays that no rule of ten asks for.
func BenchmarkNoRule(b *testing.B) {
	book := rewrite.NewBook("")
	for b.Loop() {
		if book.Set().Wants(filter.Requests) {
			b.Fatal()
		}
	}
}

func BenchmarkNoMatch(b *testing.B) {
	book := rewrite.NewBook("")
	rules := make([]rewrite.Rule, 10)
	for i := range rules {
		rules[i] = rewrite.Rule{Match: "method:put host:other.test path:/x", Method: "POST"}
	}
	if err := book.Replace(rules); err != nil {
		b.Fatal(err)
	}
	f, stage := flowOf(order)
	b.ReportAllocs()
	for b.Loop() {
		if got := book.Set().Apply(f, stage, time.Time{}, have); got.Flow != f {
			b.Fatal("changed")
		}
	}
}
