package rest

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sluse/sluse/gateway"
)

// serve starts a Server on a real listener and gives its address.
func serve(t *testing.T) string {
	t.Helper()
	s, err := NewServer(ServerConfig{Handler: newWire(t), Clock: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		if err := s.Shutdown(t.Context()); err != nil && t.Context().Err() == nil {
			t.Error(err)
		}
		_ = l.Close()
		<-done
	})
	return l.Addr().String()
}

func dial(t *testing.T, address string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return c
}

// trickle sends a byte every pause until the other side ends, and gives how long that took.
func trickle(c net.Conn, pause time.Duration) time.Duration {
	begun := time.Now()
	ended := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, c)
		close(ended)
	}()
	for {
		select {
		case <-ended:
			return time.Since(begun)
		case <-time.After(pause):
			_, _ = c.Write([]byte("a"))
		}
	}
}

func TestSlowHeaderIsEnded(t *testing.T) {
	t.Parallel()
	c := dial(t, serve(t))
	fmt.Fprint(c, "GET /fhir/metadata HTTP/1.1\r\nHost: x\r\nX-Slow: ")
	if took := trickle(c, 100*time.Millisecond); took > 3*time.Second {
		t.Errorf("ended after %s, want 2 s", took)
	}
}

func TestSlowBodyIsEnded(t *testing.T) {
	t.Parallel()
	address := serve(t)
	for name, token := range map[string]string{"let in": "ok", "refused": "no"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := dial(t, address)
			fmt.Fprintf(c, "POST /fhir/Task HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/fhir+json\r\nContent-Length: 100000\r\n\r\n", token)
			if took := trickle(c, 50*time.Millisecond); took > 9*time.Second {
				t.Errorf("ended after %s, want within 9 s", took)
			}
		})
	}
}

// A slow body that is read gets an answer that says so.
func TestSlowBodyIsTold(t *testing.T) {
	t.Parallel()
	c := dial(t, serve(t))
	fmt.Fprint(c, "POST /fhir/Task HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ok\r\nContent-Type: application/fhir+json\r\nContent-Length: 100000\r\n\r\n{")
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, _ := io.ReadAll(res.Body)
	if res.StatusCode != http.StatusRequestTimeout || !strings.Contains(string(body), `"http.body-slow"`) {
		t.Errorf("%d %s", res.StatusCode, body)
	}
}

// A large body that keeps pace may take longer than the grace of a slow one.
func TestSteadyBodyIsRead(t *testing.T) {
	t.Parallel()
	c := dial(t, serve(t))
	const chunk, chunks = 128 << 10, 10 // 1.25 MiB in 9 s
	fmt.Fprintf(c, "POST /fhir/Task HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ok\r\nContent-Type: application/fhir+json\r\nContent-Length: %d\r\n\r\n", chunk*chunks)
	for range chunks {
		if _, err := c.Write([]byte(strings.Repeat(" ", chunk))); err != nil {
			t.Fatal(err)
		}
		time.Sleep(900 * time.Millisecond)
	}
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if body, _ := io.ReadAll(res.Body); !strings.Contains(string(body), `"parse.`) {
		t.Errorf("%d %s", res.StatusCode, body)
	}
}

// What net/http refuses by itself, before any handler, is an OperationOutcome too.
func TestServerRefusals(t *testing.T) {
	t.Parallel()
	address := serve(t)
	for _, tt := range []struct {
		name, request string
		status        int
		code          string
	}{
		{"large head", "GET /fhir/metadata HTTP/1.1\r\nHost: x\r\nX-Big: " + strings.Repeat("a", 64<<10) + "\r\n\r\n", 431, "http.header-too-large"},
		{"many headers", "GET /fhir/metadata HTTP/1.1\r\nHost: x\r\n" + strings.Repeat("X-A: b\r\n", 4000) + "\r\n", 431, "http.header-too-large"},
		{"not HTTP", "HELLO\r\n\r\n", 400, "http.malformed"},
		{"no host", "GET /fhir/metadata HTTP/1.1\r\n\r\n", 400, "http.malformed"},
		{"transfer coding", "POST /fhir/Task HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", 501, "http.malformed"},
		{"chunked too large", "POST /fhir/Task HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ok\r\nContent-Type: application/fhir+json\r\nTransfer-Encoding: chunked\r\n\r\n" +
			fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", maxBody+1, strings.Repeat(" ", maxBody+1)), 413, "http.body-too-large"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := dial(t, address)
			go func() { _, _ = io.WriteString(c, tt.request) }()
			res, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = res.Body.Close() }()
			body, _ := io.ReadAll(res.Body)
			if res.StatusCode != tt.status || !strings.Contains(string(body), `"code":"`+tt.code+`"`) {
				t.Errorf("%d %s", res.StatusCode, body)
			}
			if !strings.HasPrefix(res.Header.Get("Content-Type"), fhirJSON) {
				t.Errorf("Content-Type %q", res.Header.Get("Content-Type"))
			}
		})
	}
}

// The limit of the head is exact: 16 KiB pass, one byte more does not.
func TestHeadLimitIsExact(t *testing.T) {
	t.Parallel()
	address := serve(t)
	for _, over := range []int{0, 1} {
		c := dial(t, address)
		head := "GET /fhir/metadata HTTP/1.1\r\nHost: x\r\nX-Big: "
		fill := maxHeader + over - len(head) - len("\r\n")
		fmt.Fprint(c, head+strings.Repeat("a", fill)+"\r\n\r\n")
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
		if want := map[int]int{0: 200, 1: 431}[over]; res.StatusCode != want {
			t.Errorf("limit + %d: %d, want %d", over, res.StatusCode, want)
		}
	}
}

// When the places for large bodies are taken, a large one waits and then is told to come back; a
// small one does not wait.
func TestLargeBodiesWaitForAPlace(t *testing.T) {
	t.Parallel()
	a := &api{large: make(chan struct{}, 1)}
	ask := func(size int) ([]byte, error) {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		r := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(make([]byte, size)))
		return a.body(&request{ctx: ctx, http: r, writer: httptest.NewRecorder()}, maxBody)
	}
	if got, err := ask(maxBody); err != nil || len(got) != maxBody {
		t.Fatalf("a place is free: %d bytes, %v", len(got), err)
	}
	if len(a.large) != 0 {
		t.Fatal("the place was not given back")
	}
	a.large <- struct{}{}
	if _, err := ask(smallBody + 1); gateway.CodeOf(err) != gateway.Unavailable {
		t.Errorf("no place is free: %v", err)
	}
	if got, err := ask(smallBody - 1); err != nil || len(got) != smallBody-1 {
		t.Errorf("a small body: %d bytes, %v", len(got), err)
	}
	if _, err := ask(maxBody + 1); gateway.CodeOf(err) != gateway.TooLarge {
		t.Errorf("too large: %v", err)
	}
}
