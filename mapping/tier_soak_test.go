//go:build soak

package mapping

const (
	everyCanary       = true
	generatedMessages = 10_000
)
