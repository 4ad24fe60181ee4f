//go:build soak

package conformance_test

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// browser is a Chromium that is spoken to over its own pipe (Chrome DevTools Protocol).
type browser struct {
	t       *testing.T
	to      io.Writer
	from    *bufio.Reader
	session string
	last    int
	events  []string // what the page complained of
}

// newBrowser starts one with a profile of its own. deploy/ensure-browser installs it.
func newBrowser(t *testing.T) *browser {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatalf("there is no chromium: run deploy/ensure-browser (%v)", err)
	}
	hear, tell, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	listen, speak, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), path, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking",
		"--user-data-dir="+t.TempDir(), "--remote-debugging-pipe", "about:blank")
	cmd.ExtraFiles = []*os.File{hear, speak} // descriptors 3 and 4
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = tell.Close()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	_, _ = hear.Close(), speak.Close()
	b := &browser{t: t, to: tell, from: bufio.NewReaderSize(listen, 1<<20)}
	var made struct{ TargetID string }
	b.call(&made, "Target.createTarget", map[string]any{"url": "about:blank"})
	var joined struct{ SessionID string }
	b.call(&joined, "Target.attachToTarget", map[string]any{"targetId": made.TargetID, "flatten": true})
	b.session = joined.SessionID
	for _, domain := range []string{"Page", "Runtime", "Log", "Accessibility"} {
		b.call(nil, domain+".enable", nil)
	}
	return b
}

// call does one command and keeps what the page complains of meanwhile.
func (b *browser) call(into any, method string, params map[string]any) {
	b.t.Helper()
	b.last++
	command := map[string]any{"id": b.last, "method": method}
	if params != nil {
		command["params"] = params
	}
	if b.session != "" {
		command["sessionId"] = b.session
	}
	raw, err := json.Marshal(command)
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := b.to.Write(append(raw, 0)); err != nil {
		b.t.Fatal(err)
	}
	for {
		line, err := b.from.ReadBytes(0)
		if err != nil {
			b.t.Fatalf("%s: %v", method, err)
		}
		var m struct {
			ID     int
			Method string
			Result json.RawMessage
			Error  *struct{ Message string }
		}
		if err := json.Unmarshal(line[:len(line)-1], &m); err != nil {
			b.t.Fatal(err)
		}
		switch {
		case m.Method == "Runtime.exceptionThrown" || m.Method == "Log.entryAdded" || m.Method == "Page.javascriptDialogOpening":
			b.events = append(b.events, string(line))
		case m.ID != b.last:
		case m.Error != nil:
			b.t.Fatalf("%s: %s", method, m.Error.Message)
		default:
			if into != nil {
				if err := json.Unmarshal(m.Result, into); err != nil {
					b.t.Fatal(err)
				}
			}
			return
		}
	}
}

// text evaluates an expression that gives a string.
func (b *browser) text(expression string) string {
	b.t.Helper()
	var got struct{ Result struct{ Value any } }
	b.call(&got, "Runtime.evaluate", map[string]any{"expression": "String(" + expression + ")", "returnByValue": true})
	s, _ := got.Result.Value.(string)
	return s
}

// await waits until an expression is true.
func (b *browser) await(expression string) {
	b.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); b.text(expression) != "true"; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			b.t.Fatalf("not within 20 s: %s\n%s", expression, b.text("document.body.innerText"))
		}
	}
}

func (b *browser) press(key string, code int) {
	for _, kind := range []string{"keyDown", "keyUp"} {
		p := map[string]any{"type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code}
		if key == "Enter" && kind == "keyDown" {
			p["text"] = "\r"
		}
		b.call(nil, "Input.dispatchKeyEvent", p)
	}
}

func (b *browser) write(text string) { b.call(nil, "Input.insertText", map[string]any{"text": text}) }

// With the keyboard alone, in a real browser: the token and an id are written, the message is read, nothing of it runs,
// nothing of the token stays, a screen reader finds headings and tables by name, and it is printed.
func TestViewerInBrowser(t *testing.T) {
	t.Parallel()
	v := newViewing(t)
	b := newBrowser(t)
	b.call(nil, "Page.navigate", map[string]any{"url": v.base + "/console/"})
	b.await("document.readyState === 'complete' && document.getElementById('token') !== null")
	for range 2 { // past the link to the content
		b.press("Tab", 9)
	}
	if at := b.text("document.activeElement.id"); at != "token" {
		t.Fatalf("the second stop of the keyboard is %q", at)
	}
	b.write(v.receiver.token)
	b.press("Tab", 9)
	b.write(v.id)
	b.press("Enter", 13)
	b.await("document.querySelector('main h2') !== null")
	page := b.text("document.querySelector('main').innerText")
	if !strings.Contains(page, shownMark+"<script>alert(1)</script>") || strings.Contains(page, heldMark) || !strings.Contains(page, "kan være utelatt") {
		t.Errorf("shown:\n%s", page)
	}
	for expression, want := range map[string]string{
		"document.cookie": "", "localStorage.length + sessionStorage.length": "0", "document.querySelectorAll('main script, main iframe, main img').length": "0",
		"location.pathname + location.search + location.hash": "/console/", "document.activeElement.id": "innhold", "document.title": "Medisinske opplysninger – Sluse",
		"document.documentElement.lang": "nb", "document.documentElement.scrollWidth <= innerWidth": "true",
	} {
		if got := b.text(expression); got != want {
			t.Errorf("%s is %q, want %q", expression, got, want)
		}
	}
	b.readAloud()
	var printed struct{ Data string }
	b.call(&printed, "Page.printToPDF", map[string]any{"preferCSSPageSize": true})
	if len(printed.Data) < 10_000 {
		t.Errorf("printed: %d characters", len(printed.Data))
	}
	if len(b.events) > 0 {
		t.Errorf("the page complains: %v", b.events)
	}
}

// readAloud asks for what a screen reader gets.
func (b *browser) readAloud() {
	b.t.Helper()
	var tree struct {
		Nodes []struct {
			Ignored    bool
			Role, Name struct{ Value any }
		}
	}
	b.call(&tree, "Accessibility.getFullAXTree", nil)
	named := map[string]int{}
	for _, n := range tree.Nodes {
		role, _ := n.Role.Value.(string)
		name, _ := n.Name.Value.(string)
		if n.Ignored {
			continue
		}
		if named[role]++; name == "" && (role == "heading" || role == "table" || role == "textbox" || role == "button" || role == "form") {
			b.t.Errorf("a %s without a name", role)
		}
	}
	for role, least := range map[string]int{"heading": 6, "table": 6, "rowheader": 10, "textbox": 3, "button": 2, "main": 1, "form": 1} {
		if named[role] < least {
			b.t.Errorf("%d of role %s, want %d", named[role], role, least)
		}
	}
}
