package rest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// Times and sizes of a connection (DESIGN § 5). A body may take grace, and beyond that a second
// for every pace bytes it has brought, so that a trickle ends within 9 s and a large message over
// an honest line does not.
const (
	headerTime = 2 * time.Second
	grace      = 7 * time.Second
	pace       = 64 << 10
	answerTime = 30 * time.Second
	idleTime   = 60 * time.Second
)

// ServerConfig is what a Server needs.
type ServerConfig struct {
	Handler http.Handler
	Clock   func() time.Time // deadlines are set by it, so it must be the real time
	Log     *slog.Logger     // default: none
}

// Server is an HTTP/1.1 server whose limits lie below every handler: headers of 16 KiB within
// 2 s, bodies that keep pace, answers that are read, connections that are used. What it refuses
// by itself it refuses with an OperationOutcome.
type Server struct{ http *http.Server }

// NewServer sets the limits.
func NewServer(c ServerConfig) (*Server, error) {
	if c.Handler == nil || c.Clock == nil {
		return nil, errors.New("rest: a Server needs Handler and Clock")
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Server{http: &http.Server{
		Handler:           paced(c.Handler, c.Clock),
		ReadHeaderTimeout: headerTime,
		ReadTimeout:       headerTime + grace,
		WriteTimeout:      answerTime,
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(c.Log.Handler(), slog.LevelWarn),
	}}, nil
}

// Serve answers on the listener until Shutdown; it returns nil after one.
func (s *Server) Serve(l net.Listener) error {
	err := s.http.Serve(listener{l})
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// Shutdown lets running requests end, at most until ctx is done.
func (s *Server) Shutdown(ctx context.Context) error { return s.http.Shutdown(ctx) }

// paced gives every request that has a body a deadline that moves with what arrives.
func paced(next http.Handler, clock func() time.Time) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Body == nil || r.Body == http.NoBody {
			pass(next, w, r)
			return
		}
		control := http.NewResponseController(w)
		b := &pacedBody{body: r.Body, control: control, begun: clock(), clock: clock}
		b.extend()
		r.Body = b
		pass(next, w, r)
	})
}

// pacedBody is a request body that must keep pace.
type pacedBody struct {
	body    io.ReadCloser
	control *http.ResponseController
	begun   time.Time
	clock   func() time.Time
	got     int64
	closed  sync.Once
}

func (b *pacedBody) extend() {
	until := b.begun.Add(grace + time.Duration(b.got)*time.Second/pace)
	// A connection that cannot have deadlines keeps those of the server.
	_ = b.control.SetReadDeadline(until)
	_ = b.control.SetWriteDeadline(until.Add(answerTime))
}

// Read reads, and moves the deadline.
func (b *pacedBody) Read(p []byte) (int, error) {
	n, err := b.body.Read(p)
	b.got += int64(n)
	if err == nil {
		b.extend()
		return n, nil
	}
	b.closed.Do(func() {
		if errors.Is(err, io.EOF) {
			_ = b.control.SetReadDeadline(time.Time{})
			_ = b.control.SetWriteDeadline(b.clock().Add(answerTime))
		}
	})
	return n, err
}

// Close closes the body that net/http gave.
func (b *pacedBody) Close() error { return b.body.Close() }

// listener wraps connections so that the refusals net/http writes by itself, for heads that are
// too large or malformed, are OperationOutcomes as well.
type listener struct{ net.Listener }

// Accept waits for the next connection.
func (l listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return conn{c}, nil
}

type conn struct{ net.Conn }

// plainRefusal ends the head of what net/http writes past its own buffers.
var plainRefusal = []byte("\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n")

// Write replaces a plain refusal by an OperationOutcome of the same status.
func (c conn) Write(p []byte) (int, error) {
	if len(p) < 512 && bytes.HasPrefix(p, []byte("HTTP/1.1 ")) && bytes.Contains(p, plainRefusal) {
		if _, err := c.Conn.Write(rawRefusal(p)); err != nil {
			return 0, err
		}
		return len(p), nil
	}
	return c.Conn.Write(p)
}

// CloseWrite lets net/http end its side first, so that the refusal reaches a client that still sends.
func (c conn) CloseWrite() error {
	if w, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return w.CloseWrite()
	}
	return nil
}
