package bench

import (
	"bytes"
	"encoding/json"
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
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// process is a server under load: the program itself, and where it listens.
type process struct {
	cmd  *exec.Cmd
	base string
	data string
	out  *output
}

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

var ready = regexp.MustCompile(`(?m)^klar: (http://[^ \n]+)`)

// built compiles a command of this module and gives its path.
func built(dir, pkg string) (string, error) {
	path := filepath.Join(dir, filepath.Base(pkg))
	cmd := exec.Command("go", "build", "-tags=nomsgpack", "-o", path, pkg)
	cmd.Dir = filepath.Join("..", "..")
	out, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("build %s: %w\n%s", pkg, err, out)
	}
	return path, err
}

// launch starts a server and waits for the line that says where it listens.
func launch(path string, args ...string) (*process, error) {
	p := &process{cmd: exec.Command(path, args...), out: &output{}}
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.out
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	for deadline := time.Now().Add(90 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if m := ready.FindStringSubmatch(p.out.String()); m != nil {
			p.base = m[1]
			return p, nil
		}
	}
	p.stop()
	return nil, fmt.Errorf("%s is not ready:\n%s", path, p.out)
}

func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	done := make(chan struct{})
	go func() { _ = p.cmd.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		_ = p.cmd.Process.Kill()
	}
}

// postgres is the process id and the socket directory of the private PostgreSQL (postmaster.pid,
// lines 1 and 5).
func (p *process) postgres() (pid int, socket string, err error) {
	b, err := os.ReadFile(filepath.Join(p.data, "database", "cluster", "postmaster.pid"))
	if err != nil {
		return 0, "", err
	}
	lines := strings.Split(string(b), "\n")
	if len(lines) < 5 {
		return 0, "", fmt.Errorf("postmaster.pid has %d lines", len(lines))
	}
	pid, err = strconv.Atoi(lines[0])
	return pid, lines[4], err
}

// times of a process as /proc tells: its own CPU time, and that of children that have ended.
func times(pid int) (own, ended time.Duration) {
	const tick = 10 * time.Millisecond // USER_HZ is 100 on Linux
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, 0
	}
	_, rest, _ := strings.Cut(string(b), ") ")
	fields := strings.Fields(rest)
	at := func(i int) time.Duration {
		n, _ := strconv.Atoi(fields[i])
		return time.Duration(n) * tick
	}
	return at(11) + at(12), at(13) + at(14) // utime stime, cutime cstime
}

// ownCPU is the CPU time of one process.
func ownCPU(pid int) time.Duration {
	own, _ := times(pid)
	return own
}

// consumed is the CPU time of a process and of all below it, those that have ended included.
func consumed(pid int) time.Duration {
	own, ended := times(pid)
	total := own + ended
	children, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	for _, child := range strings.Fields(string(children)) {
		if n, err := strconv.Atoi(child); err == nil {
			total += consumed(n)
		}
	}
	return total
}

// figure is what one benchmark measured.
type figure struct {
	perSecond float64
	server    time.Duration // CPU of the server's own process, for each request
	postgres  time.Duration // CPU of PostgreSQL, for each request
}

// load sends b.N requests, of as many clients as told, and reports rate and CPU of server and PostgreSQL.
func load(b *testing.B, clients, server, postgres int, one func(n int) (*http.Request, error)) figure {
	b.Helper()
	serverBefore, postgresBefore := ownCPU(server), consumed(postgres)
	b.ResetTimer()
	begun := time.Now()
	failed, err := together(clients, b.N, one)
	took := time.Since(begun)
	b.StopTimer()
	if failed > 0 {
		b.Fatalf("%d of %d requests failed, one with %v", failed, b.N, err)
	}
	n := time.Duration(b.N)
	f := figure{float64(b.N) / took.Seconds(), (ownCPU(server) - serverBefore) / n, (consumed(postgres) - postgresBefore) / n}
	b.ReportMetric(f.perSecond, "req/s")
	b.ReportMetric(float64(f.server.Microseconds()), "server-cpu-µs/req")
	b.ReportMetric(float64(f.postgres.Microseconds()), "postgres-cpu-µs/req")
	return f
}

// together sends the requests 1 to n, each client one after another. It tells how many failed, and why one of them did.
func together(clients, n int, one func(n int) (*http.Request, error)) (failed int, why error) {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: clients}}
	var (
		wg   sync.WaitGroup
		next atomic.Int64
		mu   sync.Mutex
	)
	for range clients {
		wg.Go(func() {
			for k := int(next.Add(1)); k <= n; k = int(next.Add(1)) {
				if err := once(client, one, k); err != nil {
					mu.Lock()
					failed, why = failed+1, err
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	return failed, why
}

// once sends a request and takes the whole answer: what is made is 201, all else 200.
func once(client *http.Client, one func(int) (*http.Request, error), n int) error {
	req, err := one(n)
	if err != nil {
		return err
	}
	want := http.StatusOK
	if req.Method == http.MethodPost && req.URL.Path != transactionPath {
		want = http.StatusCreated
	}
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != want {
		err = fmt.Errorf("status %d: %.200s", res.StatusCode, body)
	}
	return err
}

// token gets a token of the demo issuer, and the reference of the persona's organization.
func (p *process) token(persona string) (token, organization string, err error) {
	res, err := http.Post(p.base+"/demo/token?"+url.Values{"persona": {persona}, "expires_in": {"3600"}}.Encode(), "", nil)
	if err != nil {
		return "", "", err
	}
	defer func() { _ = res.Body.Close() }()
	var granted struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.NewDecoder(res.Body).Decode(&granted); err != nil {
		return "", "", err
	}
	list, err := http.Get(p.base + "/demo/personas")
	if err != nil {
		return "", "", err
	}
	defer func() { _ = list.Body.Close() }()
	var personas []struct{ Name, Organization string }
	if err := json.NewDecoder(list.Body).Decode(&personas); err != nil {
		return "", "", err
	}
	for _, one := range personas {
		if one.Name == persona {
			organization = one.Organization
		}
	}
	return granted.AccessToken, organization, nil
}

// request makes one request as the holder of the token.
func (p *process) request(method, path, token, body string) (*http.Request, error) {
	req, err := http.NewRequest(method, p.base+path, strings.NewReader(body))
	if err == nil && token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if err == nil && body != "" {
		req.Header.Set("Content-Type", "application/fhir+json")
	}
	return req, err
}
