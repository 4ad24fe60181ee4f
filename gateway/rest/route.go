package rest

import (
	"net/http"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// root is the path of the FHIR base.
const root = "/fhir"

// service is what the server does with one type. The routes and the CapabilityStatement are both
// made from services, so that neither can tell of what the other lacks.
type service struct {
	Type         fhir.Type
	Interactions []gateway.InteractionCode
}

var (
	every = []gateway.InteractionCode{
		gateway.Read, gateway.VRead, gateway.Update, gateway.Patch, gateway.Delete,
		gateway.History, gateway.HistoryType, gateway.Create, gateway.Find,
	}
	readAndSearch = []gateway.InteractionCode{gateway.Read, gateway.Find}
	attached      = []gateway.InteractionCode{gateway.Read, gateway.VRead, gateway.Create, gateway.Find}
)

// services in the order of the CapabilityStatement. The ledger is the server's own: AuditEvent is
// read and searched only, and Provenance is never changed.
var services = []service{
	{"AllergyIntolerance", every}, {"Appointment", every}, {"AuditEvent", readAndSearch}, {"Binary", every},
	{"CarePlan", every}, {"CareTeam", every}, {"Communication", every}, {"Composition", every}, {"Condition", every},
	{"Consent", every}, {"DocumentReference", every}, {"Encounter", every}, {"Endpoint", every}, {"EpisodeOfCare", every},
	{"Flag", every}, {"Goal", every}, {"Group", every}, {"HealthcareService", every}, {"List", every}, {"Location", every},
	{"MedicationStatement", every}, {"Observation", every},
	{"Organization", every}, {"Patient", every}, {"Practitioner", every},
	{"PractitionerRole", every}, {"Provenance", attached}, {"Questionnaire", every},
	{"QuestionnaireResponse", every}, {"RelatedPerson", every}, {"ServiceRequest", every}, {"Subscription", every}, {"Task", every},
}

// serves tells whether the server has the type.
func serves(t fhir.Type) bool {
	return slices.ContainsFunc(services, func(s service) bool { return s.Type == t })
}

// served gives what the server does with the type; nothing for one that it does not have.
func served(t fhir.Type) service {
	for _, s := range services {
		if s.Type == t {
			return s
		}
	}
	return service{}
}

// withHistory lists the types whose versions a history of the system shows.
func withHistory() (types []fhir.Type) {
	for _, s := range services {
		if s.does(gateway.HistoryType) {
			types = append(types, s.Type)
		}
	}
	return types
}

// performer is one interaction over HTTP: everything between authentication and the answer.
type performer func(*api, *request) (answer, error)

// door is a way in: method and path below the type, or below the base.
type door struct {
	method, path string
	perform      performer
}

// doors of each interaction with a type (R4 http.html#summary). HEAD follows GET. Where the path names
// no resource, an update, patch or delete is conditional.
var doors = map[gateway.InteractionCode][]door{
	gateway.Read:        {{http.MethodGet, "/:id", (*api).read}},
	gateway.VRead:       {{http.MethodGet, "/:id/_history/:version", (*api).vread}},
	gateway.Update:      {{http.MethodPut, "/:id", (*api).update}, {http.MethodPut, "", (*api).update}},
	gateway.Patch:       {{http.MethodPatch, "/:id", (*api).patch}, {http.MethodPatch, "", (*api).patch}},
	gateway.Delete:      {{http.MethodDelete, "/:id", (*api).delete}, {http.MethodDelete, "", (*api).delete}},
	gateway.History:     {{http.MethodGet, "/:id/_history", (*api).history}},
	gateway.HistoryType: {{http.MethodGet, "/_history", (*api).history}},
	gateway.Create:      {{http.MethodPost, "", (*api).create}},
	gateway.Find: {
		{http.MethodGet, "", (*api).search},
		{http.MethodPost, "/_search", (*api).search},
	},
}

// compartmentDoor leads to what is in the compartment of a Patient (R4 http.html#vsearch).
var compartmentDoor = door{http.MethodGet, "/Patient/:id/:kind", (*api).searchWithin}

// systemDoors are those that belong to no type.
var systemDoors = map[gateway.InteractionCode][]door{
	gateway.HistorySystem: {{http.MethodGet, "/_history", (*api).history}},
	gateway.FindSystem:    {{http.MethodGet, "", (*api).searchSystem}, {http.MethodGet, "/", (*api).searchSystem}, {http.MethodPost, "/_search", (*api).searchSystem}},
	gateway.Transaction:   {{http.MethodPost, "", (*api).bundle}, {http.MethodPost, "/", (*api).bundle}},
}

// router wires the doors. It adds nothing that is not in services, follows no redirect, and
// trusts no proxy's word about the client.
func (a *api) router() http.Handler {
	gin.SetMode(gin.ReleaseMode)
	e := gin.New()
	e.HandleMethodNotAllowed = true
	e.RedirectTrailingSlash, e.RedirectFixedPath = false, false
	e.UseRawPath, e.UnescapePathValues = true, true
	e.ForwardedByClientIP = false
	if err := e.SetTrustedProxies(nil); err != nil { // nil always parses
		panic(err)
	}
	e.Use(a.shape, a.observe, a.cors, a.guard)
	a.open(e, http.MethodGet, root+"/metadata", a.handle("", false, (*api).metadata))
	a.describeAt(e)
	a.exportAt(e)
	for _, list := range systemDoors {
		for _, d := range list {
			a.open(e, d.method, root+d.path, a.handle("", true, d.perform))
		}
	}
	a.open(e, compartmentDoor.method, root+compartmentDoor.path, a.handle("Patient", true, compartmentDoor.perform))
	for _, s := range services {
		for _, code := range s.Interactions {
			for _, d := range doors[code] {
				a.open(e, d.method, root+"/"+string(s.Type)+d.path, a.handle(s.Type, true, d.perform))
			}
		}
	}
	for _, d := range subscriptionDoors {
		a.open(e, d.method, root+"/Subscription"+d.path, a.handle("Subscription", true, d.perform))
	}
	a.operateAt(e)
	a.defineAt(e)
	e.NoRoute(a.noRoute)
	e.NoMethod(a.noMethod)
	return e
}

func (a *api) open(e *gin.Engine, method, path string, h gin.HandlerFunc) {
	e.Handle(method, path, h)
	if method == http.MethodGet {
		e.Handle(http.MethodHead, path, h)
	}
}

// noRoute answers a path that is not there; one that ends in an operation is told which there are.
func (a *api) noRoute(c *gin.Context) {
	err := unknownOperation(c.Request.URL.Path)
	if err == nil {
		err = refuse(http.StatusNotFound, gateway.NotSupported, "http.route")
	}
	a.refuseWith(err)(c)
}

// noMethod answers a method that a path does not have. The router has said in Allow which it has (RFC
// 9110 § 15.5.6); OPTIONS asks for nothing else, and needs no token.
func (a *api) noMethod(c *gin.Context) {
	allowed := strings.Split(c.Writer.Header().Get("Allow"), ", ")
	slices.Sort(allowed)
	c.Writer.Header().Set("Allow", strings.Join(append(slices.Compact(allowed), http.MethodOptions), ", "))
	if c.Request.Method == http.MethodOptions {
		c.Status(http.StatusNoContent)
		c.Writer.WriteHeaderNow()
		return
	}
	err := unknownOperation(c.Request.URL.Path)
	if err == nil {
		err = refuse(http.StatusMethodNotAllowed, gateway.NotSupported, "http.method")
	}
	a.refuseWith(err)(c)
}
