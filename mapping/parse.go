package mapping

import (
	"fmt"
	"slices"
	"strings"
)

// tableFile is the text of one table.
type tableFile struct{ name, text string }

// parseTables reads all tables as one: the namespaces first, so that the files may stand in any order.
func parseTables(files []tableFile) (*table, error) {
	t := &table{
		ns: map[string]string{}, prefix: map[string]string{}, classes: map[string]*class{},
		codes: map[string]map[string]string{}, labels: map[string]map[string][]string{},
		systems: map[string][]string{}, listOf: map[string]string{}, maps: map[string][][2]string{},
		heads: map[string]*ownHead{}, loose: map[string]bool{}, statements: map[string][][]string{},
		editions: map[string]map[string]string{}, contents: map[Kind]string{}, logs: map[string]bool{},
		reveals: map[string][]string{}, threads: map[string][]string{},
	}
	for _, namespaces := range []bool{true, false} {
		for _, f := range files {
			var cur *class
			for i, line := range strings.Split(f.text, "\n") {
				line = strings.TrimSpace(line)
				if line == "" || line[0] == '#' || strings.HasPrefix(line, "ns ") != namespaces {
					continue
				}
				var err error
				if cur, err = t.line(line, cur); err != nil {
					return nil, fmt.Errorf("%s, line %d: %w", f.name, i+1, err)
				}
			}
		}
	}
	return t, t.link()
}

// line reads one line; cur is the class that it may belong to.
func (t *table) line(line string, cur *class) (*class, error) {
	word, rest, _ := strings.Cut(line, " ")
	switch rest = strings.TrimSpace(rest); word {
	case "class":
		return t.addClass(rest)
	case "field", "=", "?", "top", "when", "skip", "if", "less", "after", "with", "attr", "text":
		if cur == nil {
			return nil, fmt.Errorf("%s outside a class", word)
		}
		return cur, t.classLine(cur, word, rest)
	}
	return nil, t.generalLine(word, rest)
}

func (t *table) addClass(rest string) (*class, error) {
	words := strings.Fields(rest)
	c := &class{name: words[0]}
	for i := 1; i < len(words); i++ {
		switch {
		case words[i] == ":" && i+1 < len(words):
			i++
			c.parent = words[i]
		case words[i] == "->" && i+1 < len(words):
			i++
			c.resource = words[i]
		case words[i] == "one":
			c.single = true
		default:
			return nil, fmt.Errorf("class %s: %q", c.name, words[i])
		}
	}
	if t.classes[c.name] != nil {
		return nil, fmt.Errorf("class %s twice", c.name)
	}
	t.classes[c.name] = c
	return c, nil
}

func (t *table) classLine(c *class, word, rest string) (err error) {
	switch word {
	case "field":
		f, err := t.parseField(rest)
		if err != nil {
			return err
		}
		if c.fields = append(c.fields, f); c.place != "" {
			c.after[f] = c.place
		}
		return nil
	case "less":
		c.less = append(c.less, strings.Fields(rest)...)
		return nil
	case "after":
		if c.place = rest; c.after == nil {
			c.after = map[*field]string{}
		}
		return nil
	case "with":
		c.fields = append(c.fields, &field{kind: "with", name: rest})
		return nil
	case "attr":
		name, list, _ := strings.Cut(rest, " ")
		prefix, local, _ := strings.Cut(name, ":")
		c.attrs = append(c.attrs, classAttr{t.ns[prefix], local, list})
		return nil
	case "if":
		at, values, _ := strings.Cut(rest, " ")
		c.choose = append(c.choose, chooser{strings.Split(at, "/"), splitValues(strings.TrimSpace(values))})
		return nil
	}
	at, value, _ := strings.Cut(rest, " ")
	var path []step
	if path, err = parsePath(at); err != nil {
		return err
	}
	value = strings.TrimSpace(value)
	switch word {
	case "=", "?", "top":
		k := constant{path: path, json: value}
		if value != "$sent" {
			if k.value, err = parseLiteral(value); err != nil {
				return err
			}
		}
		switch word {
		case "=":
			c.consts = append(c.consts, k)
		case "?":
			c.defaults = append(c.defaults, k)
		default:
			c.top = append(c.top, k)
		}
	case "when":
		c.when = append(c.when, condition{path, splitValues(value)})
	case "skip":
		c.skip = append(c.skip, condition{path, splitValues(value)})
	case "text":
		c.text = path
	}
	return nil
}

// splitValues splits codes at commas; a comma followed by a space belongs to a text.
func splitValues(s string) []string {
	var out []string
	for _, v := range strings.Split(strings.ReplaceAll(s, ", ", "\x00"), ",") {
		out = append(out, strings.ReplaceAll(v, "\x00", ", "))
	}
	return out
}

func (t *table) generalLine(word, rest string) error {
	head, tail, _ := strings.Cut(rest, " ")
	words := strings.Fields(tail)
	switch word {
	case "ns":
		t.ns[head], t.prefix[tail] = tail, head
	case "message":
		if len(words) != 4 {
			return fmt.Errorf("message %s: four words wanted", head)
		}
		prefix, root, _ := strings.Cut(words[0], ":")
		t.messages = append(t.messages, message{kind: Kind(head), prefix: prefix, root: root, rootNS: t.ns[prefix],
			class: words[1], version: words[2], reads: words[3] != "out", writes: words[3] != "in"})
	case "edition":
		t.editions[head] = map[string]string{}
		for _, pair := range words {
			now, then, _ := strings.Cut(pair, "=")
			if t.ns[now] == "" || t.ns[then] == "" {
				return fmt.Errorf("edition %s: %q names a prefix without a namespace", head, pair)
			}
			t.editions[head][now] = then
		}
	case "content":
		t.contents[Kind(head)] = tail
	case "event":
		if len(words) != 2 {
			return fmt.Errorf("event %s: an element and a code of 9121 wanted", head)
		}
		t.events = append(t.events, event{Kind(head), words[0], words[1]})
	case "reveals":
		t.reveals[head] = words
	case "nofreetext":
		t.logs[head] = true
	case "head":
		if !t.headLine(head, words) {
			return fmt.Errorf("head %s: five places wanted", head)
		}
	case "thread":
		t.threads[head] = strings.Split(tail, "/")
	case "loose":
		t.loose[head] = true
	case "statement":
		t.statements[head] = append(t.statements[head], strings.Split(tail, "/"))
	case "codes":
		if t.codes[head] != nil {
			return fmt.Errorf("codes %s twice", head)
		}
		t.codes[head] = map[string]string{}
		for _, pair := range strings.Split(tail, ";") {
			code, text, _ := strings.Cut(strings.TrimSpace(pair), "=")
			t.codes[head][code] = text
		}
	case "labels":
		if t.labels[head] == nil {
			t.labels[head] = map[string][]string{}
		}
		t.labels[head][words[0]] = words[1:]
	case "system":
		t.systems[head] = words
		for _, uri := range words {
			t.listOf[uri] = head
		}
	case "map":
		for _, pair := range words {
			code, fhirCode, _ := strings.Cut(pair, "=")
			t.maps[head] = append(t.maps[head], [2]string{code, fhirCode})
		}
	default:
		return fmt.Errorf("unknown word %q", word)
	}
	return nil
}

func (t *table) parseField(rest string) (*field, error) {
	cols := strings.Split(rest, "|")
	if len(cols) != 7 {
		return nil, fmt.Errorf("field: %d columns, 7 wanted", len(cols))
	}
	for i := range cols {
		cols[i] = strings.TrimSpace(cols[i])
	}
	f := &field{kind: cols[2]}
	f.prefix, f.name, _ = strings.Cut(cols[0], ":")
	if f.ns = t.ns[f.prefix]; f.ns == "" {
		return nil, fmt.Errorf("field %s: unknown prefix", cols[0])
	}
	if f.min = 0; strings.HasPrefix(cols[1], "1") {
		f.min = 1
	}
	f.many = strings.HasSuffix(cols[1], "n")
	if cols[3] != "" {
		f.lists = strings.Split(cols[3], ",")
	}
	var err error
	if f.targets, err = parseTargets(cols[4]); err != nil {
		return nil, fmt.Errorf("field %s: %w", cols[0], err)
	}
	for i := range f.targets {
		f.targets[i].parts = partsOf(f.kind, f.targets[i].name)
	}
	if f.section, err = parseSection(cols[5], cols[6]); err != nil {
		return nil, fmt.Errorf("field %s: %w", cols[0], err)
	}
	return f, nil
}

func parseTargets(s string) ([]target, error) {
	if s == "" || s == "=" || s == "-" {
		return nil, nil
	}
	var out []target
	for _, part := range strings.Split(s, "; ") {
		var g target
		var err error
		if at, lit, ok := strings.Cut(part, "!"); ok {
			if g.literal, err = parseLiteral(lit); err != nil {
				return nil, err
			}
			part = at
		}
		part, back, _ := strings.Cut(part, " ~ ")
		part, g.through, _ = strings.Cut(part, "<")
		if g.path, err = parsePath(part); err != nil {
			return nil, err
		}
		g.name = pathName(g.path)
		if back != "" {
			for _, alternative := range strings.Split(back, " ~ ") {
				p, err := parsePath(alternative)
				if err != nil {
					return nil, err
				}
				g.fallbacks = append(g.fallbacks, p)
			}
		}
		out = append(out, g)
	}
	return out, nil
}

func parseSection(rule, heading string) (sectionRule, error) {
	words := strings.Fields(rule)
	if len(words) == 0 {
		return sectionRule{}, nil
	}
	r := sectionRule{heading: heading}
	r.mode, r.group, _ = strings.Cut(words[0], ":")
	for _, w := range words[1:] {
		if w == "innhold" {
			r.content = true
		} else {
			r.labels = append(r.labels, w)
		}
	}
	if !slices.Contains([]string{"one", "list", "join"}, r.mode) || len(words) < 2 || heading == "" ||
		(r.mode == "join") != (r.group != "") {
		return r, fmt.Errorf("section %q needs a mode, a label and a heading", rule)
	}
	return r, nil
}

// parsePath reads "dosage[0].text", "note[+].text", "extension{x}.valueString", "extension[+x]".
func parsePath(s string) ([]step, error) {
	var out []step
	for _, part := range splitPath(s) {
		st := step{name: part}
		if i := strings.IndexAny(part, "[{"); i > 0 {
			st.name = part[:i]
			switch inner := part[i+1 : len(part)-1]; {
			case part[i] == '{':
				st.find = inner
			case inner == "0":
				st.array = true
			case strings.HasPrefix(inner, "+"):
				st.append, st.find = true, inner[1:]
			default:
				return nil, fmt.Errorf("path %q", s)
			}
		}
		if st.find != "" && st.name != "extension" && st.name != "component" || st.name == "" {
			return nil, fmt.Errorf("path %q", s)
		}
		if st.find != "" {
			st.url = extensionBase + st.find
		}
		out = append(out, st)
	}
	return out, nil
}

// splitPath splits at dots outside braces.
func splitPath(s string) []string {
	var out []string
	depth, from := 0, 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		case '.':
			if depth == 0 {
				out = append(out, s[from:i])
				from = i + 1
			}
		}
	}
	return append(out, s[from:])
}

func parseLiteral(s string) (*node, error) {
	wrapped, err := parseJSON([]byte(`{"v":` + s + `}`))
	if err != nil {
		return nil, fmt.Errorf("value %q is not JSON", s)
	}
	return wrapped.get("v"), nil
}
