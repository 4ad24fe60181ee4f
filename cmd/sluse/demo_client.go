package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// fhirJSON is the media type of FHIR over REST (R4 http.html#mime-type).
const fhirJSON = "application/fhir+json"

// answerLimit is more than any answer of the story needs.
const answerLimit = 16 << 20

// persona is one line of GET /demo/personas.
type persona struct {
	Name         string `json:"name"`
	Party        string `json:"party"`
	Sector       string `json:"sector"`
	Lovgrunnlag  string `json:"lovgrunnlag"`
	Role         string `json:"role"`
	OrgNumber    string `json:"orgnr"`
	HERID        string `json:"herId"`
	Organization string `json:"organization"`
}

// door is the address of a running server. It knows HTTP and nothing of what is behind.
type door struct {
	base   string // http://127.0.0.1:8080
	client *http.Client
}

// caller is one persona at the door.
type caller struct {
	door
	persona
	token string
}

// reply is an answer, read to its end.
type reply struct {
	status int
	header http.Header
	body   []byte
}

// send does one request. An error is one of the wire; a status is an answer like any other.
func (d door) send(ctx context.Context, method, path, token, media string, body []byte, header ...string) (reply, error) {
	req, err := http.NewRequestWithContext(ctx, method, d.base+path, bytes.NewReader(body))
	if err != nil {
		return reply{}, err
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
	res, err := d.client.Do(req)
	if err != nil {
		var shown *url.Error
		if errors.As(err, &shown) {
			err = shown.Err // the address may hold a query: it stays out of what is printed
		}
		return reply{}, fmt.Errorf("%s %s: %w", method, pathOnly(path), err)
	}
	defer func() { _ = res.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(res.Body, answerLimit))
	return reply{res.StatusCode, res.Header, answer}, err
}

func pathOnly(path string) string {
	before, _, _ := strings.Cut(path, "?")
	return before
}

// personas lists who the demo issuer vouches for.
func (d door) personas(ctx context.Context) (map[string]persona, error) {
	r, err := d.send(ctx, http.MethodGet, "/demo/personas", "", "", nil)
	if err != nil {
		return nil, err
	}
	var listed []persona
	if err := json.Unmarshal(r.body, &listed); err != nil || r.status != http.StatusOK {
		return nil, fmt.Errorf("GET /demo/personas: status %d: %w", r.status, err)
	}
	byName := make(map[string]persona, len(listed))
	for _, p := range listed {
		byName[p.Name] = p
	}
	return byName, nil
}

// enter gets a token for a persona. Further pairs are parameters of the issuer: purpose, patient.
func (d door) enter(ctx context.Context, p persona, pairs ...string) (*caller, error) {
	query := url.Values{"persona": {p.Name}, "expires_in": {"3600"}}
	for i := 0; i+1 < len(pairs); i += 2 {
		query.Set(pairs[i], pairs[i+1])
	}
	r, err := d.send(ctx, http.MethodPost, "/demo/token?"+query.Encode(), "", "", nil)
	if err != nil {
		return nil, err
	}
	var granted struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal(r.body, &granted); err != nil || granted.AccessToken == "" {
		return nil, fmt.Errorf("POST /demo/token for %s: status %d", p.Name, r.status)
	}
	return &caller{door: d, persona: p, token: granted.AccessToken}, nil
}

func (c *caller) do(ctx context.Context, method, path, media string, body []byte, header ...string) (reply, error) {
	return c.send(ctx, method, path, c.token, media, body, header...)
}

func (c *caller) get(ctx context.Context, path string) (reply, error) {
	return c.do(ctx, http.MethodGet, path, "", nil)
}

// search asks by POST, so that what is asked for stays out of the URL.
func (c *caller) search(ctx context.Context, resource string, form url.Values) (reply, error) {
	return c.do(ctx, http.MethodPost, "/fhir/"+resource+"/_search", "application/x-www-form-urlencoded", []byte(form.Encode()))
}

// poll asks until done says so, or for 10 s: the relay and the inbox work in the background.
func poll(ctx context.Context, done func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for wait := 10 * time.Millisecond; ; wait = min(2*wait, 200*time.Millisecond) {
		ok, err := done()
		if ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	}
}

// pick walks parsed JSON: names of members, and numbers of elements. Nothing there is nil.
func pick(v any, path ...any) any {
	for _, step := range path {
		switch s := step.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[s]
		case int:
			a, _ := v.([]any)
			if s >= len(a) {
				return nil
			}
			v = a[s]
		}
	}
	return v
}

// word is pick for a string, "" when there is none.
func word(v any, path ...any) string {
	s, _ := pick(v, path...).(string)
	return s
}

// each is pick for an array.
func each(v any, path ...any) []any {
	a, _ := pick(v, path...).([]any)
	return a
}

// parsed reads a JSON body; nil when it is none.
func (r reply) parsed() any {
	var v any
	if json.Unmarshal(r.body, &v) != nil {
		return nil
	}
	return v
}
