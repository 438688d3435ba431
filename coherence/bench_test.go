package coherence_test

import (
	"strconv"
	"testing"

	"github.com/larderdb/larder/store"
)

func benchTags(d interface{ Tag(string) store.Tag }, n int) []store.Tag {
	tags := make([]store.Tag, n)
	for i := range tags {
		tags[i] = d.Tag("public.stuff" + strconv.Itoa(i))
	}
	return tags
}

func BenchmarkHit(b *testing.B) {
	for _, n := range []int{1, 3} {
		b.Run(strconv.Itoa(n)+"tags", func(b *testing.B) {
			d := newDomain(b)
			tags := benchTags(d, n)
			load(d, "key", tags, 1)
			b.ReportAllocs()
			for b.Loop() {
				if r := d.Lookup(bg, "key", tags, true); r.Value != 1 {
					b.Fatal("miss")
				}
			}
		})
		b.Run(strconv.Itoa(n)+"tags/parallel", func(b *testing.B) {
			d := newDomain(b)
			tags := benchTags(d, n)
			load(d, "key", tags, 1)
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if r := d.Lookup(bg, "key", tags, true); r.Value != 1 {
						b.Error("miss")
					}
				}
			})
		})
	}
}

func BenchmarkMissAndFill(b *testing.B) {
	d := newDomain(b)
	tags := benchTags(d, 1)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		load(d, "key"+strconv.Itoa(i), tags, 1)
	}
}

func BenchmarkHoldAndRelease(b *testing.B) {
	for _, n := range []int{1, 3} {
		b.Run(strconv.Itoa(n)+"tags", func(b *testing.B) {
			d := newDomain(b)
			tags := benchTags(d, n)
			b.ReportAllocs()
			for b.Loop() {
				h, err := d.Hold(bg, tags)
				if err != nil || h.Release(bg) != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
