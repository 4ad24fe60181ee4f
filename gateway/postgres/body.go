package postgres

import (
	"runtime"

	"github.com/klauspost/compress/zstd"

	"github.com/sluse/sluse/gateway"
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

// expand gives back the exact bytes that compress took.
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
