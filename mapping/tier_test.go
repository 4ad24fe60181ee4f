//go:build !soak

package mapping

// everyCanary tells whether TestNothingUndecidedCrosses plants in every place; generatedMessages is how many messages the
// generator makes.
const (
	everyCanary       = false
	generatedMessages = 300
)
