package cases

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Answer is what the rules say to a question.
type Answer struct {
	Crosses bool    `json:"crosses"`
	Duty    string  `json:"duty,omitempty"`
	Bases   []Basis `json:"bases,omitempty"`
}

// Basis is what a release stands on.
type Basis struct {
	Law       string `json:"law"`
	Paragraph string `json:"paragraph"`
	Provision string `json:"provision"` // of which Consent or row of policy data
}

// Result is a question with its answer.
type Result struct {
	Question LegalQuestion
	Got      Answer
	Fault    string // why the answer is not the one expected, in bokmål; "" when it is
}

// Report is a table with its answers.
type Report struct {
	Table   Table
	Results map[string][]Result // by the id of the case
	Asked   int
	Crossed int
	Differ  int
}

// Asker answers a question by the rules.
type Asker func(LegalQuestion) (Answer, error)

// Ask puts every question of a table.
func (t Table) Ask(ask Asker) (Report, error) {
	r := Report{Table: t, Results: map[string][]Result{}}
	for _, l := range t.Cases {
		for _, q := range l.Questions {
			got, err := ask(q)
			if err != nil {
				return r, fmt.Errorf("%s: line %d: %s: %w", t.File, q.Line, q.Case.Name, err)
			}
			result := Result{Question: q, Got: got, Fault: q.differs(got)}
			r.Results[l.ID] = append(r.Results[l.ID], result)
			r.Asked++
			if got.Crosses {
				r.Crossed++
			}
			if result.Fault != "" {
				r.Differ++
			}
		}
	}
	return r, nil
}

// differs tells what is wrong with an answer.
func (q LegalQuestion) differs(got Answer) string {
	cites := func(b Basis) bool { return b.Law == q.Law }
	switch {
	case got.Crosses && !q.Listed:
		return "krysser, og skal holdes tilbake"
	case !got.Crosses && q.Listed:
		return "holdes tilbake, og skal krysse"
	case !q.Listed:
		return ""
	case !slices.ContainsFunc(got.Bases, cites):
		return "krysser på et annet grunnlag enn " + q.Law
	case got.Duty != q.Duty:
		return "krysser med plikten «" + dutyText(got.Duty) + "», ikke «" + dutyText(q.Duty) + "»"
	}
	return ""
}

// dutyText is what a duty is called.
func dutyText(duty string) string {
	switch duty {
	case "log":
		return "loggføres"
	case "notify":
		return "loggføres som unntak, pasienten varsles"
	}
	return duty
}

var (
	actionTexts   = map[string]string{"read": "lese", "message": "få i melding", "notify": "varsles", "contribute": "skrive i"}
	decisionTexts = map[Decision]string{
		Permit: "utleveres", PermitNotify: "utleveres, pasienten varsles etterpå", Refuse: "utleveres ikke",
		Manual: "avgjøres av et menneske og sendes for hånd", OutOfScope: "ikke en oppgave for Sluse",
	}
	regimeTexts = map[Regime]string{BySamtykke: "samtykke", ByLov: "lov (avtale)"}
)

func actionText(action string) string {
	if t, ok := actionTexts[action]; ok {
		return t
	}
	return action
}

// Text writes the report for people, in bokmål: for each case what crosses and on which basis, what is withheld, and every
// difference. all lists what is withheld one by one too.
func (r Report) Text(w io.Writer, all bool) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %d saker, %d spørsmål, %d krysser, %d avvik. Må kvalitetssikres av jurist.\n", r.Table.File, len(r.Table.Cases), r.Asked, r.Crossed, r.Differ)
	for _, l := range r.Table.Cases {
		fmt.Fprintf(&b, "\n%s  %s\n     %s: %s\n", l.ID, l.Title, l.Law, decisionTexts[l.Decision])
		if l.Reason != "" {
			fmt.Fprintf(&b, "     Grunn: %s\n", l.Reason)
		}
		withheld := 0
		for _, res := range r.Results[l.ID] {
			if !res.Got.Crosses && res.Fault == "" && !all {
				withheld++
				continue
			}
			res.text(&b)
		}
		if withheld > 0 {
			fmt.Fprintf(&b, "   – holdes tilbake som det skal: %d spørsmål\n", withheld)
		}
	}
	if r.Differ > 0 {
		fmt.Fprintf(&b, "\n%d AVVIK i %s\n", r.Differ, r.Table.File)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (res Result) text(b *strings.Builder) {
	q, mark, got := res.Question, "–", "holdes tilbake"
	if res.Got.Crosses {
		mark, got = "+", "krysser"
	}
	if res.Fault != "" {
		mark = "!"
	}
	fmt.Fprintf(b, "   %s %s × %s × %s, %s (%s): %s", mark, q.Who, q.What, q.Purpose, actionText(q.Action), regimeTexts[q.Regime], got)
	for i, basis := range res.Got.Bases {
		sep := "; "
		if i == 0 {
			sep = " etter "
		}
		fmt.Fprintf(b, "%s%s [%s]", sep, basis.Paragraph, basis.Provision)
	}
	if res.Got.Duty != "" {
		fmt.Fprintf(b, "; %s", dutyText(res.Got.Duty))
	}
	if res.Fault != "" {
		fmt.Fprintf(b, "\n     AVVIK (linje %d): %s", q.Line, res.Fault)
	}
	b.WriteString("\n")
}

// JSON writes the report for programs: one object.
func (r Report) JSON(w io.Writer) error {
	type row struct {
		Case     string `json:"case"`
		Decision string `json:"decision"`
		Law      string `json:"law"`
		Who      string `json:"who"`
		What     string `json:"what"`
		Purpose  string `json:"purpose"`
		Action   string `json:"action"`
		Regime   Regime `json:"regime"`
		Line     int    `json:"line"`
		Expected bool   `json:"expected"`
		Got      Answer `json:"got"`
		Differs  string `json:"differs,omitempty"`
	}
	out := struct {
		File             string `json:"file"`
		NeedsLegalReview bool   `json:"needsLegalReview"`
		Asked            int    `json:"asked"`
		Crossed          int    `json:"crossed"`
		Differ           int    `json:"differ"`
		Questions        []row  `json:"questions"`
	}{File: r.Table.File, NeedsLegalReview: true, Asked: r.Asked, Crossed: r.Crossed, Differ: r.Differ, Questions: []row{}}
	for _, l := range r.Table.Cases {
		for _, res := range r.Results[l.ID] {
			q := res.Question
			out.Questions = append(out.Questions, row{l.ID, string(l.Decision), l.Law, q.Who, q.What, q.Purpose, q.Action, q.Regime, q.Line, q.Listed, res.Got, res.Fault})
		}
	}
	e := json.NewEncoder(w)
	e.SetIndent("", " ")
	e.SetEscapeHTML(false)
	return e.Encode(out)
}
