package fhir

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"embed"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io/fs"
	"slices"
	"sync"

	"github.com/sluse/sluse/conformance/definitions"
)

// TrimPart is a value of a document that may leave it: where it stands, as Resource.At reads it, and whether it goes.
type TrimPart struct {
	Path string
	Goes bool
}

// Outline tells how a document is trimmed whichever of its parts go, so that whoever keeps it beside the document need not
// read that again. It holds nothing of the document but its tags, and is bytes to be stored; numbers are varints:
//
//	seal    8 bytes: the rules it was made by, so that no other rules ever use it
//	paths   8 bytes: of its parts
//	sum     4 bytes: of the document, and of all that follows
//	arrays  how many that have parts; of each from where it goes with all its elements, and how long that is (0: it does
//	        not), and how many elements it has; of each what lies between it and the one before, its length, and 0 or
//	        1 + the part it is
//	spans   how many; of each twice what is skipped since the last, and its length; or one more than twice the length of
//	        a text, and the text, in which a zero byte stands for the tag
//
// A program whose text of what is embedded here is another has other rules: what is stored is of no use to it, and such a
// document is read each time until its Outline is made anew (sluse migrate).
type Outline []byte

const (
	sealSize = 8
	sumAt    = sealSize + 8
	headSize = sumAt + 4
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// trimSource is what an Outline is made by and judged by, beside the definitions of R4 and the fields of Trim.
//
//go:embed trim.go trim_quick.go trim_pass.go trim_outline.go table.go primitive.go fhir.go resource.go editor.go value.go parse.go
var trimSource embed.FS

var ownSource = sync.OnceValue(func() [sha256.Size]byte { return digest(trimSource, definitions.R4Digest()) })

// digest names the program text and the definitions.
func digest(source fs.FS, definitions [sha256.Size]byte) [sha256.Size]byte {
	h := sha256.New()
	_, _ = h.Write(definitions[:])
	if err := fs.WalkDir(source, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := fs.ReadFile(source, name)
		_, _ = fmt.Fprintln(h, name, len(text))
		_, _ = h.Write(text)
		return err
	}); err != nil {
		panic("fhir: " + err.Error()) // it is embedded
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// seal names the rules: another text, another definition or another field is another.
func (t *Trim) seal() []byte {
	t.sealing.Do(func() {
		h := sha256.New()
		_, _ = fmt.Fprint(h, ownSource(), t.Members, t.Tags, t.Open, t.OpenSystems) // a map is printed in the order of its keys
		copy(t.sealed[:], h.Sum(nil))
	})
	return t.sealed[:]
}

// Outline gives the Outline of a document of a type, with parts; nil when it is to be read each time: when a part is no
// element of an array, when the arrays that have parts are very long, or when the document cannot be trimmed in one reading.
func (t *Trim) Outline(kind Type, body []byte, parts []TrimPart) Outline {
	paths := make([]string, 0, len(parts))
	for _, p := range parts {
		paths = append(paths, p.Path)
	}
	q := quicks.Get().(*quick) //nolint:errcheck // nothing else is put there
	defer q.put()
	if !q.read(t, body, paths, true) || bytes.IndexByte(q.written, 0) >= 0 {
		return nil
	}
	o := make(Outline, headSize, headSize+24+len(q.written)+4*len(q.spans)+4*len(q.elements))
	copy(o, t.seal())
	o = o.number(len(q.arrays))
	for i, a := range q.arrays {
		o = o.number(int(a.whole.from)).number(int(a.whole.to - a.whole.from))
		own := 0
		for _, e := range q.elements {
			if int(e.array) == i {
				own++
			}
		}
		o = o.number(own)
		at := 0
		for _, e := range q.elements {
			if int(e.array) == i {
				o = o.number(int(e.from) - at).number(int(e.to - e.from)).number(int(e.part) + 1)
				at = int(e.to)
			}
		}
	}
	o = o.number(len(q.spans))
	at := 0
	for _, s := range q.spans {
		if s.from >= 0 {
			o = o.number(2 * (int(s.from) - at)).number(int(s.to - s.from))
			at = int(s.to)
			continue
		}
		text := q.written[-1-s.from : s.to]
		if tag := t.Tags[kind]; tag != "" {
			text = bytes.ReplaceAll(text, []byte(tag), []byte{0})
		}
		o = append(o.number(2*len(text)+1), text...)
	}
	o.bind(body, parts)
	return o
}

// bind makes it that of a document and its parts.
func (o Outline) bind(body []byte, parts []TrimPart) {
	binary.LittleEndian.PutUint64(o[sealSize:], pathsOf(parts))
	binary.LittleEndian.PutUint32(o[sumAt:], o.sum(body))
}

// serves tells whether it is that of the rules, the document and the parts.
func (o Outline) serves(t *Trim, body []byte, parts []TrimPart) bool {
	return len(o) >= headSize && bytes.Equal(o[:sealSize], t.seal()) &&
		binary.LittleEndian.Uint64(o[sealSize:]) == pathsOf(parts) && binary.LittleEndian.Uint32(o[sumAt:]) == o.sum(body)
}

func (o Outline) number(n int) Outline {
	return binary.AppendUvarint(o, uint64(n)) //nolint:gosec // counts, lengths and distances forward
}

// sum is CRC-32C of the document and of what stands behind the head.
func (o Outline) sum(body []byte) uint32 {
	return crc32.Update(crc32.Checksum(body, castagnoli), castagnoli, o[headSize:])
}

// pathsOf is FNV-1a of the paths, each with its length.
func pathsOf(parts []TrimPart) uint64 {
	sum := uint64(14695981039346656037)
	mix := func(n uint64) { sum = (sum ^ n) * 1099511628211 }
	for _, p := range parts {
		mix(uint64(len(p.Path)))
		for i := range len(p.Path) {
			mix(uint64(p.Path[i]))
		}
	}
	return sum
}

// Cut appends to dst a document of a type, trimmed, less the parts that go. It is false, and the document is to be read,
// when the Outline is none, or not of these rules, this document and these parts; or when an array goes with all its
// elements, and it is not known what of the document goes with it.
func (t *Trim) Cut(dst []byte, kind Type, body []byte, o Outline, parts []TrimPart) ([]byte, bool) {
	if !o.serves(t, body, parts) {
		return dst, false
	}
	var room [16]span
	r := outlineReader{rest: o[headSize:]}
	gone, ok := r.gone(room[:0], parts, len(body))
	if !ok {
		return dst, false
	}
	before, at := len(dst), 0
	for range r.number() {
		n := r.number()
		if n&1 == 1 {
			for _, c := range r.text(n >> 1) {
				if c == 0 {
					dst = append(dst, t.Tags[kind]...)
				} else {
					dst = append(dst, c)
				}
			}
			continue
		}
		from := at + n>>1
		to := from + r.number()
		if at = to; r.failed || to > len(body) {
			return dst[:before], false
		}
		for from < to {
			for len(gone) > 0 && int(gone[0].to) <= from {
				gone = gone[1:]
			}
			if len(gone) == 0 || int(gone[0].from) >= to {
				dst = append(dst, body[from:to]...)
				break
			}
			if from < int(gone[0].from) {
				dst = append(dst, body[from:gone[0].from]...)
			}
			from = int(gone[0].to)
		}
	}
	if r.failed || len(r.rest) > 0 {
		return dst[:before], false
	}
	return dst, true
}

// outlineReader reads an Outline. What has failed reads as zero.
type outlineReader struct {
	rest   []byte
	failed bool
}

func (r *outlineReader) number() int {
	n, size := binary.Uvarint(r.rest)
	if size <= 0 || n > 1<<30 {
		r.failed, r.rest = true, nil
		return 0
	}
	r.rest = r.rest[size:]
	return int(n)
}

func (r *outlineReader) text(n int) []byte {
	if n > len(r.rest) {
		r.failed, n = true, 0
	}
	text := r.rest[:n]
	r.rest = r.rest[n:]
	return text
}

// gone appends what goes with the parts that go, from the front of the document to its end: an element goes with what
// lies between it and the one before, or, while none stays, with what lies between it and the next.
func (r *outlineReader) gone(list []span, parts []TrimPart, length int) ([]span, bool) {
	for range r.number() {
		from := r.number()
		to := from + r.number()
		if to > length {
			return nil, false
		}
		whole := between(from, to)
		first, end, kept := 0, 0, false
		for i := range r.number() {
			from := end + r.number()
			to := from + r.number()
			part := r.number() - 1
			if r.failed || to > length || part >= len(parts) {
				return nil, false
			}
			if i == 0 {
				first = from
			}
			switch goes := part >= 0 && parts[part].Goes; {
			case goes && kept:
				list = append(list, between(end, to))
			case !goes && !kept:
				kept = true
				list = append(list, between(first, from))
			}
			end = to
		}
		if !kept {
			if whole.from == whole.to {
				return nil, false
			}
			list = append(list, whole)
		}
	}
	if len(list) > 1 {
		slices.SortFunc(list, func(a, b span) int { return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(b.to, a.to)) })
	}
	return list, !r.failed
}
