package fhir

import "bytes"

// What follows passes text by, without looking at what it means.

// space passes white space; most often there is none.
func (q *quick) space() {
	if q.pos < len(q.src) && q.src[q.pos] <= ' ' {
		q.blank()
	}
}

func (q *quick) blank() {
	for q.pos < len(q.src) && (q.src[q.pos] == ' ' || q.src[q.pos] == '\n' || q.src[q.pos] == '\t' || q.src[q.pos] == '\r') {
		q.pos++
	}
}

// quoted reads a string and gives it as it is written, less its quotes. It is false when escapes make it another.
func (q *quick) quoted() ([]byte, bool) {
	if q.pos >= len(q.src) || q.src[q.pos] != '"' {
		return nil, false
	}
	from := q.pos + 1
	for i := from; i < len(q.src); i++ {
		switch q.src[i] {
		case '"':
			q.pos = i + 1
			return q.src[from:i], true
		case '\\':
			return nil, false
		}
	}
	return nil, false
}

// name reads a member's name and its colon.
func (q *quick) name() ([]byte, bool) {
	name, ok := q.quoted()
	if !ok {
		return nil, false
	}
	q.space()
	if q.pos >= len(q.src) || q.src[q.pos] != ':' {
		return nil, false
	}
	q.pos++
	q.space()
	return name, q.pos < len(q.src)
}

// more passes the comma before the next child, or the end.
func (q *quick) more(closing byte) (more, ok bool) {
	q.space()
	if q.pos >= len(q.src) || q.src[q.pos] != ',' && q.src[q.pos] != closing {
		return false, false
	}
	q.pos++
	if q.src[q.pos-1] == closing {
		return false, true
	}
	q.space()
	return true, true
}

// enter passes the opening bracket. It is false when it cannot be read; empty tells that the end is passed too.
func (q *quick) enter(closing byte) (empty, ok bool) {
	q.depth++
	q.pos++
	q.space()
	if q.pos < len(q.src) && q.src[q.pos] == closing {
		q.pos++
		q.depth--
		return true, true
	}
	return false, q.depth <= 100
}

// skip passes a value.
func (q *quick) skip() bool {
	if q.pos >= len(q.src) {
		return false
	}
	switch q.src[q.pos] {
	case '{':
		empty, ok := q.enter('}')
		for more := !empty; more && ok; {
			if _, ok = q.name(); ok && q.skip() {
				more, ok = q.more('}')
			} else {
				ok = false
			}
		}
		if !empty {
			q.depth--
		}
		return ok
	case '[':
		empty, ok := q.enter(']')
		for more := !empty; more && ok; {
			if ok = q.skip(); ok {
				more, ok = q.more(']')
			}
		}
		if !empty {
			q.depth--
		}
		return ok
	}
	return q.scalar()
}

// scalar passes a string, a number or a literal.
func (q *quick) scalar() bool {
	src, i := q.src, q.pos
	if src[i] != '"' {
		for i < len(src) && (isAlphanumeric(src[i]) || src[i] == '-' || src[i] == '+' || src[i] == '.') {
			i++
		}
		q.pos, i = i, q.pos
		return q.pos > i
	}
	i++
	for short := min(i+24, len(src)); i < short; i++ {
		if src[i] == '"' {
			q.pos = i + 1
			return true
		}
		if src[i] == '\\' {
			break
		}
	}
	return q.long(i)
}

// long passes the rest of a string.
func (q *quick) long(i int) bool {
	for i <= len(q.src) {
		rest := q.src[i:]
		end := bytes.IndexByte(rest, '"')
		if end < 0 {
			return false
		}
		escape := bytes.IndexByte(rest[:end], '\\')
		if escape < 0 {
			q.pos = i + end + 1
			return true
		}
		i += escape + 2
	}
	return false
}

// member gives the text of a member of the object at hand, and stays before it; nil when there is none. It is false
// when what is before it cannot be read, or the text is none.
func (q *quick) member(name string) (text []byte, ok bool) {
	at, depth := q.pos, q.depth
	ok, found := q.seek(name)
	if found {
		text, ok = q.quoted()
	}
	q.pos, q.depth = at, depth
	return text, ok
}

// seek goes to the value of a member of the object at hand.
func (q *quick) seek(name string) (ok, found bool) {
	if q.pos >= len(q.src) || q.src[q.pos] != '{' {
		return false, false
	}
	empty, ok := q.enter('}')
	for more := !empty; more && ok; {
		have, known := q.name()
		if known && string(have) == name {
			return true, true
		}
		if ok = known && q.skip(); ok {
			more, ok = q.more('}')
		}
	}
	return ok, false
}
