package definitions

// Parse reads the tables anew.
func Parse() (*Tables, error) { return parse(r4) }
