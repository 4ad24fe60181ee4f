package postgres

import (
	"encoding/binary"
	"io"
	"runtime"

	"github.com/klauspost/compress/zstd"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// maxBody bounds what a stored body may expand to.
const maxBody = 64 << 20

// EncodeAll and DecodeAll of one shared coder may be called from many goroutines.
var (
	encoder = newEncoder()
	decoder = newDecoder()
)

func newEncoder() *zstd.Encoder {
	e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(runtime.GOMAXPROCS(0)),
		zstd.WithWindowSize(128<<10), zstd.WithLowerEncoderMem(true))
	if err != nil {
		panic("postgres: zstd options: " + err.Error()) // constant options
	}
	return e
}

func newDecoder() *zstd.Decoder {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(runtime.GOMAXPROCS(0)), zstd.WithDecoderMaxMemory(maxBody))
	if err != nil {
		panic("postgres: zstd options: " + err.Error()) // constant options
	}
	return d
}

// compress gives the form in which a body is stored; the checksum of the frame is checked when it
// is read. The empty body stays empty.
func compress(b []byte) []byte {
	if len(b) == 0 {
		return []byte{}
	}
	return encoder.EncodeAll(b, make([]byte, 0, len(b)/3+64))
}

// aside is how a zstd frame begins that readers pass by (RFC 8878, 3.1.2): four bytes, and the length of the rest in four.
const aside, asideHead = 0x184D2A50, 8

// packBody is compress of a body with its Outline before it, where the reader of the body alone passes it by.
func packBody(body []byte, o fhir.Outline) []byte {
	if len(o) == 0 {
		return compress(body)
	}
	b := make([]byte, 0, asideHead+len(o)+len(body)/3+64)
	b = binary.LittleEndian.AppendUint32(b, aside)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(o))) //nolint:gosec // some bytes for each value of a document of 16 MiB at most
	return encoder.EncodeAll(body, append(b, o...))
}

// unpackBody gives back what packBody took.
func unpackBody(op string, b []byte) (body []byte, o fhir.Outline, err error) {
	if len(b) >= asideHead && binary.LittleEndian.Uint32(b) == aside {
		n := binary.LittleEndian.Uint32(b[4:])
		if uint64(n) > uint64(len(b)-asideHead) {
			return nil, nil, gateway.Failed(op, gateway.Internal, io.ErrUnexpectedEOF)
		}
		o, b = fhir.Outline(b[asideHead:asideHead+n:asideHead+n]), b[asideHead+n:]
	}
	body, err = expand(op, b)
	return body, o, err
}

// expand gives back the exact bytes that compress took, and what packBody did.
func expand(op string, b []byte) ([]byte, error) {
	if len(b) == 0 {
		return nil, nil
	}
	body, err := decoder.DecodeAll(b, nil)
	if err != nil {
		return nil, gateway.Failed(op, gateway.Internal, err)
	}
	return body, nil
}
