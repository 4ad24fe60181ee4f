package audit

// The elements of an AuditEvent in the order in which they are written. The
// generated R4 structures cannot hold the contained PractitionerRole that the
// trust framework asks for, and empty choices of theirs are written out.

type auditEvent struct {
	ResourceType   string             `json:"resourceType"`
	ID             string             `json:"id"`
	Meta           meta               `json:"meta"`
	Contained      []practitionerRole `json:"contained,omitempty"`
	Extension      []extension        `json:"extension,omitempty"`
	Type           coding             `json:"type"`
	Subtype        []coding           `json:"subtype"`
	Action         string             `json:"action"`
	Recorded       string             `json:"recorded"`
	Outcome        string             `json:"outcome"`
	OutcomeDesc    string             `json:"outcomeDesc,omitempty"`
	PurposeOfEvent []concept          `json:"purposeOfEvent,omitempty"`
	Agent          []agent            `json:"agent"`
	Source         source             `json:"source"`
	Entity         []entity           `json:"entity,omitempty"`
}

type meta struct {
	LastUpdated string   `json:"lastUpdated"`
	Profile     []string `json:"profile,omitempty"`
}

type practitionerRole struct {
	ResourceType      string      `json:"resourceType"`
	ID                string      `json:"id"`
	Practitioner      *reference  `json:"practitioner,omitempty"`
	Organization      *reference  `json:"organization,omitempty"`
	Code              []concept   `json:"code,omitempty"`
	HealthcareService []reference `json:"healthcareService,omitempty"`
}

type agent struct {
	Type      concept   `json:"type"`
	Who       reference `json:"who"`
	Name      string    `json:"name,omitempty"`
	Requestor bool      `json:"requestor"`
	Policy    []string  `json:"policy,omitempty"`
}

type source struct {
	Site     string    `json:"site"`
	Observer reference `json:"observer"`
	Type     []coding  `json:"type"`
}

type entity struct {
	Extension []extension `json:"extension,omitempty"`
	What      *reference  `json:"what,omitempty"`
	Type      *coding     `json:"type"`
	Role      *coding     `json:"role"`
	Query     string      `json:"query,omitempty"`
}

type extension struct {
	Extension   []extension `json:"extension,omitempty"`
	URL         string      `json:"url"`
	Coding      *coding     `json:"valueCoding,omitempty"`
	Reference   *reference  `json:"valueReference,omitempty"`
	String      string      `json:"valueString,omitempty"`
	UnsignedInt int64       `json:"valueUnsignedInt,omitempty"`
}

type reference struct {
	Reference  string      `json:"reference,omitempty"`
	Identifier *identifier `json:"identifier,omitempty"`
	Display    string      `json:"display,omitempty"`
}

type identifier struct {
	System string `json:"system,omitempty"`
	Value  string `json:"value"`
}

type concept struct {
	Coding []coding `json:"coding"`
}

type coding struct {
	System  string `json:"system"`
	Code    string `json:"code"`
	Display string `json:"display,omitempty"`
}
