package mapping

import (
	"crypto/sha256"
	"encoding/base64"
	"html"
	"slices"
	"strconv"
	"strings"
)

// ViewStyle is the style sheet of a page that View makes: for the screen, in light and dark, and for paper.
const ViewStyle = `:root{color-scheme:light dark;--ink:#1a1a1a;--paper:#fff;--line:#767676;--soft:#f2f4f7;--mark:#0b3d91}
@media (prefers-color-scheme:dark){:root{--ink:#f2f2f2;--paper:#16181c;--line:#9aa0a6;--soft:#24272d;--mark:#a8c7fa}}
body{margin:0 auto;max-width:60rem;padding:1rem;font:1rem/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper)}
h1{font-size:1.6rem;line-height:1.25}h2{font-size:1.25rem;margin:2rem 0 .5rem;border-bottom:2px solid var(--line)}
h3,h4,h5,h6{font-size:1.05rem;margin:1.25rem 0 .25rem}
.skip{position:absolute;left:-99rem}.skip:focus{position:static}
a{color:var(--mark)}:focus-visible{outline:3px solid var(--mark);outline-offset:2px}
.note{border-left:.4rem solid var(--mark);background:var(--soft);margin:.5rem 0;padding:.5rem 1rem}
.away{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
.wide{overflow-x:auto}table{border-collapse:collapse;width:100%}
caption{text-align:left;font-weight:600;padding:.25rem 0}
th,td{text-align:left;vertical-align:top;padding:.3rem .6rem;border-bottom:1px solid var(--line);overflow-wrap:anywhere}
th[scope=row]{width:16rem;font-weight:600}thead th{background:var(--soft)}
td{white-space:pre-line;unicode-bidi:isolate}
@media (max-width:40rem){th[scope=row]{width:8rem}}
@media print{body{max-width:none;padding:0;font-size:10.5pt;color:#000;background:#fff}.skip{display:none}
h2,h3,h4,caption,thead{break-after:avoid}tr{break-inside:avoid}.wide{overflow:visible}}`

// ViewPolicy is the Content-Security-Policy that a page of View needs: its own style sheet, and nothing else.
func ViewPolicy() string {
	sum := sha256.Sum256([]byte(ViewStyle))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; base-uri 'none'; form-action 'none'"
}

// pageWriter writes HTML. Only text writes what comes from a message.
type pageWriter struct {
	b   strings.Builder
	ids int
}

func (w *pageWriter) raw(tags ...string) {
	for _, s := range tags {
		w.b.WriteString(s)
	}
}

// text writes text: escaped, and less the characters that no document may hold.
func (w *pageWriter) text(s string) {
	w.b.WriteString(html.EscapeString(strings.Map(func(c rune) rune {
		if c < ' ' && c != '\n' && c != '\t' || c == 0x7f {
			return -1
		}
		return c
	}, s)))
}

func (w *pageWriter) element(name, attributes, text string) {
	w.raw("<", name, attributes, ">")
	w.text(text)
	w.raw("</", name, ">")
}

// html writes the page.
func (p *viewPage) html() []byte {
	w := &pageWriter{}
	w.raw(`<!DOCTYPE html>`, "\n", `<html lang="nb"><head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="`, html.EscapeString(ViewPolicy()),
		`"><meta name="viewport" content="width=device-width,initial-scale=1"><meta name="referrer" content="no-referrer">`)
	w.element("title", "", p.title)
	w.raw("<style>", ViewStyle, "</style></head>\n<body><a class=\"skip\" href=\"#innhold\">Til innholdet</a>\n<main id=\"innhold\" tabindex=\"-1\">")
	w.element("h1", "", p.title)
	for _, n := range p.notes {
		w.element("p", ` class="note"`, n)
	}
	for _, part := range p.parts {
		w.part(part)
	}
	w.raw("\n</main></body></html>\n")
	return []byte(w.b.String())
}

func (w *pageWriter) part(p *viewPart) {
	groups := slices.DeleteFunc(slices.Clone(p.groups), (*viewGroup).empty)
	if len(groups) == 0 {
		return
	}
	w.ids++
	id := "del" + strconv.Itoa(w.ids)
	w.raw("\n<section aria-labelledby=\"", id, "\">")
	w.element("h2", ` id="`+id+`"`, p.heading)
	w.groups(groups, 3, p.heading)
	w.raw("</section>")
}

// groups writes elements that stand beside each other: those of one name that hold nothing but values as one table, a row
// for each.
func (w *pageWriter) groups(list []*viewGroup, level int, heading string) {
	for len(list) > 0 {
		n := 1
		for n < len(list) && list[n].name == list[0].name {
			n++
		}
		if columns := columnsOf(list[:n]); n > 1 && columns != nil {
			w.table(list[0].caption(heading), columns, list[:n])
		} else {
			for i, g := range list[:n] {
				w.group(g, level, heading, i+1, n)
			}
		}
		list = list[n:]
	}
}

func (g *viewGroup) caption(heading string) string {
	if g.name == "" {
		return heading
	}
	return g.name
}

// maxColumns is how many a table may have that is still read in one line.
const maxColumns = 6

// columnsOf gives the columns of a table of the groups; nil when they are none.
func columnsOf(list []*viewGroup) (columns []string) {
	for _, g := range list {
		if len(g.kids) > 0 {
			return nil
		}
		for i, r := range g.rows {
			if slices.ContainsFunc(g.rows[:i], func(o viewRow) bool { return o.name == r.name }) {
				return nil
			}
			if !slices.Contains(columns, r.name) {
				columns = append(columns, r.name)
			}
		}
	}
	if len(columns) > maxColumns {
		return nil
	}
	return columns
}

func (w *pageWriter) table(caption string, columns []string, list []*viewGroup) {
	w.raw(`<div class="wide" role="region" tabindex="0" aria-label="`, html.EscapeString(caption), `"><table>`)
	w.element("caption", "", caption)
	w.raw("<thead><tr>")
	for _, c := range columns {
		w.element("th", ` scope="col"`, c)
	}
	w.raw("</tr></thead><tbody>")
	for _, g := range list {
		w.raw("<tr>")
		for _, c := range columns {
			value := ""
			for _, r := range g.rows {
				if r.name == c {
					value = r.value
				}
			}
			w.element("td", "", value)
		}
		w.raw("</tr>")
	}
	w.raw("</tbody></table></div>")
}

// group writes one element: its values, and what stands in it below.
func (w *pageWriter) group(g *viewGroup, level int, heading string, n, of int) {
	caption := g.caption(heading)
	if of > 1 {
		caption += " " + strconv.Itoa(n) + " av " + strconv.Itoa(of)
	}
	if caption != heading {
		tag := "h" + strconv.Itoa(min(level, 6))
		w.element(tag, "", caption)
		level++
	}
	if len(g.rows) > 0 {
		w.raw("<table>")
		w.element("caption", ` class="away"`, caption) // the heading above shows it
		w.raw("<tbody>")
		for _, r := range g.rows {
			w.raw("<tr>")
			w.element("th", ` scope="row"`, r.name)
			w.element("td", "", r.value)
			w.raw("</tr>")
		}
		w.raw("</tbody></table>")
	}
	w.groups(g.kids, level, caption)
}
