package conformance_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// binary builds the real program once for all tests of the package. SLUSE_BINARY names another
// build to be tested instead.
var binary = sync.OnceValues(func() (string, error) {
	if path := os.Getenv("SLUSE_BINARY"); path != "" {
		return path, nil
	}
	dir, err := os.MkdirTemp("", "sluse-build")
	if err != nil {
		return "", err
	}
	built = dir
	path := filepath.Join(dir, "sluse")
	cmd := exec.Command("go", "build", "-tags=nomsgpack", "-o", path, "./cmd/sluse")
	cmd.Dir = ".."
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build: %w\n%s", err, out)
	}
	return path, nil
})

// built is the directory of the binary, removed at the end; "" when nothing was built.
var built string

// TestMain removes what was built.
func TestMain(m *testing.M) {
	code := m.Run()
	if built != "" {
		_ = os.RemoveAll(built)
	}
	os.Exit(code)
}

// server is one running `sluse demo` with its private PostgreSQL.
type server struct {
	t     testing.TB
	data  string
	base  string
	admin string
	cmd   *exec.Cmd
	out   *output
	done  chan struct{}
	http  *http.Client
}

// output collects what a process prints, and lets a test wait for it.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// dataDir is a directory that a private PostgreSQL can use, also when root starts it: the parents
// of testing.TB.TempDir are closed to the server's own user.
func dataDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "sluse")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// demo runs `sluse demo` with the arguments until it ends by itself.
func demo(t testing.TB, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, append([]string{"demo", "--once", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"}, args...)...)
	var out, log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &log
	err = cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out.String(), log.String(), cmd.ProcessState.ExitCode()
}

var ready = regexp.MustCompile(`(?m)^klar: (http://\S+) \(drift: (http://\S+)\)$`)

// start runs a server in a new data directory. With --no-story it holds the directory of parties
// and nothing else.
func start(t testing.TB, args ...string) *server {
	t.Helper()
	s := &server{t: t, data: dataDir(t), http: &http.Client{
		Timeout:   30 * time.Second,
		Transport: &http.Transport{MaxIdleConnsPerHost: 64},
	}}
	s.run(args...)
	t.Cleanup(s.stop)
	return s
}

// run starts the process on the server's data directory and waits until it is ready.
func (s *server) run(args ...string) {
	s.t.Helper()
	path, err := binary()
	if err != nil {
		s.t.Fatal(err)
	}
	s.out, s.done = &output{}, make(chan struct{})
	s.cmd = exec.Command(path, append([]string{
		"demo", "--data", s.data, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0",
	}, args...)...)
	s.cmd.Stdout, s.cmd.Stderr = s.out, s.out
	endWithTests(s.cmd)
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	go func(cmd *exec.Cmd, done chan struct{}) {
		_ = cmd.Wait()
		close(done)
	}(s.cmd, s.done)
	for deadline := time.Now().Add(90 * time.Second); ; {
		if m := ready.FindStringSubmatch(s.out.String()); m != nil {
			s.base, s.admin = m[1], m[2]
			return
		}
		select {
		case <-s.done:
			s.t.Fatalf("the server ended before it was ready:\n%s", s.out)
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			s.stop()
			s.t.Fatalf("the server is not ready:\n%s", s.out)
		}
	}
}

// stop ends the server as an operator does.
func (s *server) stop() { s.end(syscall.SIGTERM) }

// kill ends the server at once; its PostgreSQL finds out by itself.
func (s *server) kill() { s.end(syscall.SIGKILL) }

func (s *server) end(signal syscall.Signal) {
	_ = s.cmd.Process.Signal(signal)
	select {
	case <-s.done:
	case <-time.After(30 * time.Second):
		_ = s.cmd.Process.Kill()
		<-s.done
		s.t.Error("the server did not end within 30 s")
	}
	s.http.CloseIdleConnections()
}

// postmaster is the process id of the private PostgreSQL.
func (s *server) postmaster() int {
	b, err := os.ReadFile(filepath.Join(s.data, "database", "cluster", "postmaster.pid"))
	if err != nil {
		return 0
	}
	first, _, _ := strings.Cut(string(b), "\n")
	pid, _ := strconv.Atoi(first)
	return pid
}

// killPostgres kills the postmaster and every server process at once, as a power failure would.
func (s *server) killPostgres() {
	pid := s.postmaster()
	if pid == 0 {
		return
	}
	children, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	_ = syscall.Kill(pid, syscall.SIGKILL)
	for _, child := range strings.Fields(string(children)) {
		if n, err := strconv.Atoi(child); err == nil {
			_ = syscall.Kill(n, syscall.SIGKILL)
		}
	}
}

// client is one persona at a server.
type client struct {
	*server
	token        string
	herID        string
	organization string
}

// answer is a response, read to its end.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (s *server) send(method, path, token, media string, body []byte, header ...string) (answer, error) {
	req, err := http.NewRequest(method, s.base+path, bytes.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if media != "" {
		req.Header.Set("Content-Type", media)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := s.http.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	return answer{res.StatusCode, res.Header, b}, err
}

// as gives a client with a fresh token. pairs are parameters of the issuer.
func (s *server) as(persona string, pairs ...string) *client {
	s.t.Helper()
	query := url.Values{"persona": {persona}, "expires_in": {"3600"}}
	for i := 0; i+1 < len(pairs); i += 2 {
		query.Set(pairs[i], pairs[i+1])
	}
	a, err := s.send(http.MethodPost, "/demo/token?"+query.Encode(), "", "", nil)
	var granted struct {
		AccessToken string `json:"access_token"`
	}
	if err != nil || json.Unmarshal(a.body, &granted) != nil || granted.AccessToken == "" {
		s.t.Fatalf("token for %s: %v, status %d", persona, err, a.status)
	}
	c := &client{server: s, token: granted.AccessToken}
	a, err = s.send(http.MethodGet, "/demo/personas", "", "", nil)
	var listed []struct{ Name, HerID, Organization string }
	if err != nil || json.Unmarshal(a.body, &listed) != nil {
		s.t.Fatalf("personas: %v, status %d", err, a.status)
	}
	for _, p := range listed {
		if p.Name == persona {
			c.herID, c.organization = p.HerID, p.Organization
		}
	}
	return c
}

// try does a request; an error is one of the wire.
func (c *client) try(method, path, media string, body []byte, header ...string) (answer, error) {
	return c.send(method, path, c.token, media, body, header...)
}

// must does a request that has to succeed with the status.
func (c *client) must(want int, method, path string, body any, header ...string) answer {
	c.t.Helper()
	media, b := "", []byte(nil)
	switch body := body.(type) {
	case nil:
	case []byte:
		media, b = "application/fhir+json", body
	case string:
		media, b = "application/fhir+json", []byte(body)
	case url.Values:
		media, b = "application/x-www-form-urlencoded", []byte(body.Encode())
	default:
		media = "application/json"
		var err error
		if b, err = json.Marshal(body); err != nil {
			c.t.Fatal(err)
		}
	}
	a, err := c.try(method, path, media, b, header...)
	if err != nil {
		c.t.Fatalf("%s %s: %v", method, path, err)
	}
	if a.status != want {
		c.t.Fatalf("%s %s: status %d, want %d: %s", method, path, a.status, want, a.body)
	}
	return a
}

// create stores a resource and gives "Type/id".
func (c *client) create(body string) string {
	c.t.Helper()
	var head struct{ ResourceType, ID string }
	if err := json.Unmarshal([]byte(body), &head); err != nil {
		c.t.Fatal(err)
	}
	a := c.must(http.StatusCreated, http.MethodPost, "/fhir/"+head.ResourceType, body)
	if err := json.Unmarshal(a.body, &head); err != nil {
		c.t.Fatal(err)
	}
	return head.ResourceType + "/" + head.ID
}

// postMessage hands in a business document.
func (c *client) postMessage(document string) (answer, error) {
	body, err := json.Marshal(map[string]string{
		"businessDocument": base64.StdEncoding.EncodeToString([]byte(document)),
		"contentType":      "application/xml", "contentTransferEncoding": "base64",
	})
	if err != nil {
		return answer{}, err
	}
	return c.try(http.MethodPost, "/edi/Messages", "application/json", body)
}

// entries gives the resources of a searchset that answer the search.
func entries(t testing.TB, body []byte) (found []map[string]any, next string) {
	t.Helper()
	var bundle struct {
		Link  []struct{ Relation, URL string }
		Entry []struct {
			Resource map[string]any
			Search   struct{ Mode string }
		}
	}
	if err := json.Unmarshal(body, &bundle); err != nil {
		t.Fatalf("no bundle: %v: %s", err, body)
	}
	for _, e := range bundle.Entry {
		if e.Search.Mode == "match" {
			found = append(found, e.Resource)
		}
	}
	for _, l := range bundle.Link {
		if l.Relation == "next" {
			next = l.URL
		}
	}
	return found, next
}
