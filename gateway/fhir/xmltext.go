package fhir

import "maps"

// The codes of the XML reader and writer.
const (
	CodeXMLSyntax      = "parse.xml-syntax"
	CodeXMLEncoding    = "parse.xml-encoding"
	CodeXMLDTD         = "parse.xml-dtd"
	CodeXMLEntity      = "parse.xml-entity"
	CodeXMLInstruction = "parse.xml-instruction"
	CodeXMLNamespace   = "parse.xml-namespace"
	CodeXMLText        = "parse.xml-text"
	CodeXMLAttribute   = "parse.xml-attribute"
	CodeXMLOrder       = "parse.xml-order"
	CodeXMLResource    = "parse.xml-resource"
	CodeXMLCharacter   = "xml.character"
)

var xmlTexts = map[string]text{
	CodeXMLSyntax:      {"Innholdet er ikke velformet XML.", "The content is not well-formed XML."},
	CodeXMLEncoding:    {"XML må være kodet i UTF-8.", "XML must be encoded in UTF-8."},
	CodeXMLDTD:         {"XML med DOCTYPE eller andre deklarasjoner tas ikke imot.", "XML with a DOCTYPE or other declarations is not accepted."},
	CodeXMLEntity:      {"Bare &amp;, &lt;, &gt;, &quot;, &apos; og gyldige tegnreferanser kan brukes. Skriv andre tegn som de er.", "Only &amp;, &lt;, &gt;, &quot;, &apos; and valid character references may be used. Write other characters as they are."},
	CodeXMLInstruction: {"Prosessinstruksjoner tas ikke imot, og en XML-deklarasjon står først.", "Processing instructions are not accepted, and an XML declaration stands first."},
	CodeXMLNamespace:   {"Elementet {0} skal stå i navnerommet {1}.", "The element {0} must be in the namespace {1}."},
	CodeXMLText:        {"FHIR-elementer har ingen tekst mellom taggene. Verdien står i attributtet value.", "FHIR elements have no text between the tags. The value stands in the attribute value."},
	CodeXMLAttribute:   {"Attributtet {0} kan ikke stå på dette elementet.", "The attribute {0} cannot stand on this element."},
	CodeXMLOrder:       {"{0} står etter {1}, men skal stå før. I XML følger elementene rekkefølgen i definisjonen.", "{0} stands after {1} but must stand before it. In XML the elements follow the order of the definition."},
	CodeXMLResource:    {"{0} skal inneholde nøyaktig én ressurs.", "{0} must hold exactly one resource."},
	CodeXMLCharacter:   {"Verdien har et tegn som XML ikke kan gjengi. Be om JSON.", "The value has a character that XML cannot carry. Ask for JSON."},
}

func init() { maps.Copy(issueTexts, xmlTexts) }
