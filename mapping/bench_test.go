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

// BenchmarkRefuse is what each hostile document costs (100 ms, 32 MiB).
func BenchmarkRefuse(b *testing.B) {
	for _, c := range refusals() {
		if len(c.doc) < 10_000 {
			continue
		}
		b.Run(c.name, func(b *testing.B) {
			raw := []byte(c.doc)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Read(raw, ids); err == nil {
					b.Fatal("accepted")
				}
			}
		})
	}
}

// spent is all that a call asks for, in bytes: at least what lives at once.
func spent(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// TestHostileStaysSmall: what is refused has not asked for more than 32 MiB.
func TestHostileStaysSmall(t *testing.T) {
	for _, c := range refusals() {
		raw := []byte(c.doc)
		size := spent(func() {
			if _, err := Read(raw, ids); err == nil {
				t.Errorf("%s: accepted", c.name)
			}
		})
		if size > 32<<20 {
			t.Errorf("%s: %d MiB", c.name, size>>20)
		}
	}
}

// TestLargestMessageFits: a message of 10 MiB, nearly all of it an attachment, asks for at most 64 MiB until it is read.
func TestLargestMessageFits(t *testing.T) {
	raw := string(fixture(t, "medisinske-opplysninger/in.xml"))
	at := strings.LastIndex(raw, "</MsgHead>")
	head := `<Document><RefDoc><MsgType V="A" DN="Vedlegg"/><MimeType>application/pdf</MimeType><Content>` +
		`<Base64Container xmlns="http://www.kith.no/xmlstds/base64container">`
	tail := `</Base64Container></Content></RefDoc></Document>`
	fill := (10<<20 - len(raw) - len(head) - len(tail)) / 4 * 4
	large := []byte(raw[:at] + head + strings.Repeat("A", fill) + tail + raw[at:])
	if len(large) < 10<<20-4 {
		t.Fatalf("%d bytes", len(large))
	}
	size := spent(func() {
		if in, err := Read(large, ids); err != nil || len(in.Attachments) != 1 || len(in.Attachments[0].Bytes) != fill/4*3 {
			t.Fatal("not read", err)
		}
	})
	if size > 64<<20 {
		t.Errorf("%d MiB", size>>20)
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
	if size > 1<<20 || pieces > 2_000 {
		t.Errorf("%d bytes in %d pieces", size, pieces)
	}
}
