package rest

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/gin-gonic/gin"
	"github.com/klauspost/compress/gzip"

	"github.com/sluse/sluse/gateway/fhir"
)

// minPacked is the size from which an answer is worth packing, in bytes. Between parties of one
// national network the processor is scarcer than the line: to pack a record of the usual few
// kilobytes took more of it than to decide, read and record it.
const minPacked = 32 << 10

// packers are kept, since each holds tables of 1 MB.
var packers = sync.Pool{New: func() any {
	w, err := gzip.NewWriterLevel(nil, gzip.BestSpeed)
	if err != nil {
		panic("rest: gzip: " + err.Error()) // a constant level
	}
	return w
}}

const packKey = "sluse.pack"

// mayPack tells whether the answer may be packed.
func mayPack(c *gin.Context, yes bool) {
	if yes {
		c.Set(packKey, true)
	}
}

// packs tells whether an answer may be packed: the CapabilityStatement, or one resource. How much an
// answer shrinks tells of what is alike in it. A page or Bundle puts what several parties wrote, and
// what the request said, beside each other, so that who writes a record could measure, on the wire,
// another's that stands next to it: those are never packed, those of the directory included, since
// they may bring records along. One resource has one author, and repeats nothing of the request.
func (a answer) packs() bool {
	return a.statement != nil || a.one
}

func (s *shaper) packs() bool {
	if _, ok := s.c.Get(packKey); !ok || !s.gzip {
		return false
	}
	n, err := strconv.Atoi(s.Header().Get("Content-Length"))
	return err == nil && n >= minPacked
}

func asXML(body []byte, pretty bool) ([]byte, error) {
	res, err := fhir.ParseLimits(body, fhir.Limits{Bytes: len(body), Nodes: len(body)})
	if err != nil {
		return nil, err
	}
	if pretty {
		return fhir.AppendXMLIndent(nil, res)
	}
	return fhir.AppendXML(make([]byte, 0, 2*len(body)), res)
}

func asGzip(body []byte) ([]byte, error) {
	var out bytes.Buffer
	w, _ := packers.Get().(*gzip.Writer)
	defer packers.Put(w)
	w.Reset(&out)
	if _, err := w.Write(body); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// prettyWanted reads _pretty (R4 http.html#parameters); any other value than true is no.
func prettyWanted(r *http.Request) bool {
	return strings.Contains(r.URL.RawQuery, "_pretty") && r.URL.Query().Get("_pretty") == "true"
}

// takesGzip reads Accept-Encoding (RFC 9110 § 12.5.3).
func takesGzip(h http.Header) bool {
	for _, one := range strings.Split(strings.Join(h.Values("Accept-Encoding"), ","), ",") {
		name, params, _ := strings.Cut(strings.TrimSpace(one), ";")
		if name = strings.ToLower(strings.TrimSpace(name)); name != "gzip" && name != "*" {
			continue
		}
		q, err := strconv.ParseFloat(strings.TrimPrefix(strings.ReplaceAll(params, " ", ""), "q="), 64)
		return params == "" || err == nil && q > 0
	}
	return false
}
