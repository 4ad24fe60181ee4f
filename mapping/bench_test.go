package mapping

import (
	"bytes"
	"runtime"
	"strings"
	"testing"

	"github.com/beevik/etree"
)

// largeMessage is a MEDISINSKE_OPPLYSNINGER of about 50 KB: the size of the budget (DESIGN § 7).
func largeMessage(tb testing.TB) []byte {
	raw := string(fixture(tb, "medisinske-opplysninger/in.xml"))
	from, to := strings.Index(raw, "<epj3:ForenkletForskrivning>"), strings.Index(raw, "</epj3:Legemiddelinfo>")
	one := raw[from:to]
	raw = raw[:from] + strings.Repeat(one, 1+(50_000-len(raw))/len(one)) + raw[to:]
	if len(raw) < 48_000 || len(raw) > 54_000 {
		tb.Fatalf("%d bytes", len(raw))
	}
	return []byte(raw)
}

// BenchmarkRead is parse, check and map; its floor is BenchmarkParseAlone.
func BenchmarkRead(b *testing.B) {
	raw := largeMessage(b)
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Read(raw, ids); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseAlone(b *testing.B) {
	raw := largeMessage(b)
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		doc := etree.NewDocument()
		if _, err := doc.ReadFrom(bytes.NewReader(raw)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkWithhold(b *testing.B) {
	raw := largeMessage(b)
	b.SetBytes(int64(len(raw)))
	for b.Loop() {
		if _, err := Withhold(raw, nil); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkWrite(b *testing.B) {
	o := outgoing(b)["helseopplysninger"]
	for b.Loop() {
		if _, _, err := Write(o); err != nil {
			b.Fatal(err)
		}
	}
}

// TestReadFitsTheBudget: all that reading 50 KB ever asks for is far below the 16 MiB that may live at once (DESIGN § 7),
// in few pieces.
func TestReadFitsTheBudget(t *testing.T) {
	raw := largeMessage(t)
	const rounds = 20
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range rounds {
		if _, err := Read(raw, ids); err != nil {
			t.Fatal(err)
		}
	}
	runtime.ReadMemStats(&after)
	size, pieces := (after.TotalAlloc-before.TotalAlloc)/rounds, (after.Mallocs-before.Mallocs)/rounds
	if size > 2<<20 || pieces > 4_000 {
		t.Errorf("%d bytes in %d pieces", size, pieces)
	}
}
