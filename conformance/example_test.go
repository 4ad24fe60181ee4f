package conformance_test

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// This is an interpreter for what the files of examples use of the .http format: file variables,
// requests separated by ###, names, variables from earlier answers, and two of the system variables of
// VS Code's REST Client. Expectations are comments: `# expect 201 "text"`.

// exampleRequest is one request of a file.
type exampleRequest struct {
	line                      int
	title, name               string
	status                    int
	contains                  string
	method, url, header, body string
}

var expectation = regexp.MustCompile(`^# expect (\d{3})(?: "(.*)")?$`)

// parseExample reads a file.
func parseExample(text string) (variables map[string]string, requests []exampleRequest, err error) {
	variables = map[string]string{}
	blocks := strings.Split("\n"+text, "\n### ")
	for _, line := range strings.Split(blocks[0], "\n") {
		if name, value, ok := strings.Cut(strings.TrimPrefix(line, "@"), " = "); ok && strings.HasPrefix(line, "@") {
			variables[name] = value
		}
	}
	line := strings.Count(blocks[0], "\n")
	for _, block := range blocks[1:] {
		r := exampleRequest{line: line + 1}
		line += strings.Count(block, "\n") + 1
		var rest string
		r.title, rest, _ = strings.Cut(block, "\n")
		for strings.HasPrefix(rest, "#") {
			var comment string
			comment, rest, _ = strings.Cut(rest, "\n")
			if m := expectation.FindStringSubmatch(comment); m != nil {
				r.status, _ = strconv.Atoi(m[1])
				r.contains = m[2]
			} else if name, ok := strings.CutPrefix(comment, "# @name "); ok {
				r.name = name
			}
		}
		var head, first string
		head, r.body, _ = strings.Cut(rest, "\n\n")
		first, r.header, _ = strings.Cut(head, "\n")
		r.method, r.url, _ = strings.Cut(strings.TrimSpace(first), " ")
		if r.status == 0 || r.url == "" {
			return nil, nil, fmt.Errorf("line %d: %q expects nothing, or asks nothing", r.line, r.title)
		}
		requests = append(requests, r)
	}
	return variables, requests, nil
}

// interpreter runs one file.
type interpreter struct {
	variables map[string]string
	answers   map[string]answer
	http      *http.Client
}

var place = regexp.MustCompile(`\{\{([^{}]+)\}\}`)

// fill puts in what the variables stand for.
func (i interpreter) fill(text string) (filled string, err error) {
	filled = place.ReplaceAllStringFunc(text, func(found string) string {
		value, failed := i.value(strings.Trim(found, "{}"))
		if failed != nil && err == nil {
			err = failed
		}
		return value
	})
	return filled, err
}

func (i interpreter) value(name string) (string, error) {
	if v, ok := i.variables[name]; ok {
		return i.fill(v)
	}
	if name == "$guid" {
		var b [16]byte
		_, err := rand.Read(b[:])
		return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:]), err
	}
	if days, ok := strings.CutPrefix(name, "$localDatetime 'YYYY-MM-DD'"); ok {
		n := 0
		if days != "" {
			if _, err := fmt.Sscanf(days, " %d d", &n); err != nil {
				return "", err
			}
		}
		return time.Now().AddDate(0, 0, n).Format(time.DateOnly), nil
	}
	request, rest, _ := strings.Cut(name, ".response.")
	a, ok := i.answers[request]
	if !ok {
		return "", fmt.Errorf("{{%s}}: nothing is named so", name)
	}
	if header, ok := strings.CutPrefix(rest, "headers."); ok {
		if v := a.header.Get(header); v != "" {
			return v, nil
		}
	} else if path, ok := strings.CutPrefix(rest, "body.$"); ok {
		var v any
		if err := json.Unmarshal(a.body, &v); err != nil {
			return "", err
		}
		if v, ok := follow(v, path); ok {
			return fmt.Sprint(v), nil
		}
	}
	return "", fmt.Errorf("{{%s}} is not in %.300s", name, a.body)
}

var step = regexp.MustCompile(`^(?:\.([A-Za-z_]+)|\[(\d+)\])`)

// follow goes down a JSONPath of members and places.
func follow(v any, path string) (any, bool) {
	for path != "" {
		m := step.FindStringSubmatch(path)
		if m == nil {
			return nil, false
		}
		path = path[len(m[0]):]
		switch at := v.(type) {
		case map[string]any:
			v = at[m[1]]
		case []any:
			n, err := strconv.Atoi(m[2])
			if err != nil || n >= len(at) {
				return nil, false
			}
			v = at[n]
		default:
			return nil, false
		}
	}
	return v, v != nil
}

// perform asks, and when it is a GET asks again until the answer is as expected.
func (i interpreter) perform(r exampleRequest) error {
	deadline := time.Now().Add(20 * time.Second)
	for {
		a, want, err := i.ask(r)
		if err != nil {
			return err
		}
		if a.status == r.status && strings.Contains(string(a.body), want) {
			if r.name != "" {
				i.answers[r.name] = a
			}
			return nil
		}
		if r.method != http.MethodGet || time.Now().After(deadline) || a.status >= 400 {
			return fmt.Errorf("%d %.600s, want %d %q", a.status, a.body, r.status, want)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func (i interpreter) ask(r exampleRequest) (a answer, want string, err error) {
	var parts [4]string
	for n, text := range []string{r.url, r.header, r.body, r.contains} {
		if parts[n], err = i.fill(text); err != nil {
			return answer{}, "", err
		}
	}
	req, err := http.NewRequest(r.method, parts[0], bytes.NewReader(bytes.TrimSpace([]byte(parts[2]))))
	if err != nil {
		return answer{}, "", err
	}
	for _, line := range strings.Split(parts[1], "\n") {
		if name, value, ok := strings.Cut(line, ": "); ok {
			req.Header.Set(name, value)
		}
	}
	res, err := i.http.Do(req)
	if err != nil {
		return answer{}, "", err
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	return answer{res.StatusCode, res.Header, body}, parts[3], err
}

// Every example does what it says, request by request, against the real server.
func TestExamples(t *testing.T) {
	t.Parallel()
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusOK)
	}))
	t.Cleanup(receiver.Close)
	s := start(t, "--no-story", "--notify", receiver.URL)
	files, err := filepath.Glob("examples/*.http")
	if err != nil || len(files) < 12 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".http"), func(t *testing.T) {
			t.Parallel()
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			variables, requests, err := parseExample(string(raw))
			if err != nil || len(requests) < 3 {
				t.Fatalf("%d requests, %v", len(requests), err)
			}
			if variables["base"] != "http://127.0.0.1:8080" {
				t.Errorf("base is %q: not where make demo serves", variables["base"])
			}
			variables["base"] = s.base
			if _, ok := variables["hook"]; ok {
				variables["hook"] = receiver.URL + "/hook"
			}
			i := interpreter{variables, map[string]answer{}, s.http}
			for _, r := range requests {
				if err := i.perform(r); err != nil {
					t.Fatalf("%s:%d: %s: %v", file, r.line, r.title, err)
				}
			}
		})
	}
}

// The interpreter sees what is not as expected.
func TestExampleInterpreterSeesFaults(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusTeapot)
		_, _ = io.WriteString(w, `{"a":[{"b":"`+r.URL.Path+`"}]}`)
	}))
	defer s.Close()
	for _, tt := range []struct {
		text string
		want string
	}{
		{"### Ask.\n# @name x\n# expect 418 \"/p\"\nPOST {{base}}/p\n\n### Go on.\n# expect 418 \"/p\"\nPOST {{base}}{{x.response.body.$.a[0].b}}\n", ""},
		{"### Ask.\n# expect 200\nPOST {{base}}/p\n", "418"},
		{"### Ask.\n# expect 418 \"nothing\"\nPOST {{base}}/p\n", "nothing"},
		{"### Ask.\n# expect 418\nPOST {{base}}/{{y.response.body.$.a}}\n", "nothing is named so"},
		{"### Ask.\n# @name x\n# expect 418\nPOST {{base}}/p\n\n### Go on.\n# expect 418\nPOST {{base}}{{x.response.body.$.a[1].b}}\n", "is not in"},
		{"### Ask.\nPOST {{base}}/p\n", "expects nothing"},
	} {
		variables, requests, err := parseExample("@base = " + s.URL + "\n\n" + tt.text)
		i := interpreter{variables, map[string]answer{}, http.DefaultClient}
		for _, r := range requests {
			if err == nil {
				err = i.perform(r)
			}
		}
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: %v, want %q", tt.text, err, tt.want)
		}
	}
}
