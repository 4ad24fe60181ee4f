package fhir

import "time"

// Prefix is how an ordered value is compared (R4 search.html#prefix).
type Prefix string

// The prefixes.
const (
	Equal        Prefix = "eq"
	NotEqual     Prefix = "ne"
	Greater      Prefix = "gt"
	Less         Prefix = "lt"
	GreaterEqual Prefix = "ge"
	LessEqual    Prefix = "le"
	StartsAfter  Prefix = "sa"
	EndsBefore   Prefix = "eb"
	Approximate  Prefix = "ap"
)

var comparators = []Prefix{Equal, NotEqual, Greater, Less, GreaterEqual, LessEqual, StartsAfter, EndsBefore, Approximate}

// Limits of a query. What is beyond is refused, but for _count, which R4 lets the server lower.
const (
	MaxParameters   = 64
	MaxAlternatives = 100 // values of one parameter, separated by commas
	MaxChain        = 2   // references that a chain and _has go over together
	MaxIncludes     = 8   // _include and _revinclude together
	MaxCount        = 200
	MaxSortKeys     = 3
	MaxWays         = 8 // types that a chain may lead to where it names none, for each type searched
	DefaultCount    = 20
)

// Parameter is one name=value of a request, decoded, modifiers and chain in Name.
type Parameter struct{ Name, Value string }

// QueryConfig says how a query is read.
type QueryConfig struct {
	// Types that can be searched; nil: SearchTypes.
	Types []Type
	// Base is the absolute URL of the server, without slash at its end: a reference that begins
	// with it is a relative one.
	Base string
	// Now is what "ap" on a date measures from.
	Now time.Time
	// Lenient leaves out what is unknown, and tells (R4 search.html#errors, Prefer: handling=lenient).
	// Values that cannot be read are refused all the same.
	Lenient bool
	// Intercept, when set, sees each parameter that narrows the search before its value is read:
	// values are the alternatives, escapes left in. It may take the parameter away, or refuse it.
	Intercept func(p Parameter, s *SearchParameter, values []string) (taken bool, refused *Issue)
}

// Query is a search, read and checked: what it holds can be answered.
type Query struct {
	// Types searched: one, or those of _type in a search of the system.
	Types []Type
	// Criteria must all hold.
	Criteria []Criterion
	Includes []Include
	Sort     []SortKey // none: the server's order
	Count    int       // resources on a page, 0 to MaxCount; 0 asks for the total only
	Summary  Summary
	Elements []string // names at the first level, sorted
	Total    Total
	Page     string // token of a later page as it came, "" for the first
	// Canonical is the normal form of what is searched for and how it is shown, without paging:
	// equal for queries that ask the same in another order. Intercepted values are left out.
	Canonical string
}

// Criterion is one parameter: any of its values must hold, by any of its ways.
type Criterion struct {
	// Name as asked, modifier and chain included.
	Name string
	// Ways lead from a resource found to a parameter: several when a chain names no type, or when
	// several types are searched. All have parameters of one type.
	Ways     []Way
	Modifier Modifier
	// Missing asks whether there is any value at all: "true", "false", "" when not asked.
	Missing string
	// Negate asks that none of the values holds: of the resource at the end of the way.
	Negate bool
	Values []Operand
	// Lists, of _list: the resource is an item of one of these List resources. No other field is set.
	Lists []ID
}

// Way is a path over references to a parameter.
type Way struct {
	From  Type // the type searched
	Hops  []Hop
	Param *SearchParameter
}

// Hop goes from a resource of one type to one of another.
type Hop struct {
	// Param is of From, and the resource of type To is what it points at; when Reverse, it is of To
	// and points at the resource of type From (_has).
	Param    *SearchParameter
	Reverse  bool
	From, To Type
}

// Operand is one value of a criterion, read by the type of its parameter.
type Operand struct {
	Prefix Prefix // of dates, numbers and quantities; never ""
	// Token: AnySystem without "|"; Code is "" in "system|". Also of an identifier and a quantity.
	System, Code string
	AnySystem    bool
	// Below: the code or URL itself, or any below it.
	Below bool
	// Reference: Type is "" when the value is an id alone. URL, with Version or without, is an
	// absolute or canonical reference, or a uri.
	Reference    Reference
	URL, Version string
	// Text is a string as written, Folded the form in which strings are compared.
	Text, Folded string
	// Low and High of a date: the half-open interval of its precision, widened for ap.
	Low, High time.Time
	// Amount of a number or quantity: widened for ap.
	Amount *Amount
	// Tuple of a composite.
	Tuple []Operand
}

// Include is an _include or _revinclude.
type Include struct {
	Param *SearchParameter
	// Target limits what is included by an _include, or is what a _revinclude points at; "": any.
	Target  Type
	Reverse bool
	Iterate bool
}

// SortKey is one key of _sort.
type SortKey struct {
	Param      *SearchParameter // of each type searched, by the same name
	Descending bool
}

// Summary is the value of _summary.
type Summary string

// The values of _summary (R4 search.html#summary).
const (
	SummaryNone  Summary = ""
	SummaryTrue  Summary = "true"
	SummaryText  Summary = "text"
	SummaryData  Summary = "data"
	SummaryCount Summary = "count"
)

// Total is the value of _total.
type Total string

// The values of _total (R4 search.html#total).
const (
	TotalUnasked  Total = ""
	TotalNone     Total = "none"
	TotalEstimate Total = "estimate"
	TotalAccurate Total = "accurate"
)
