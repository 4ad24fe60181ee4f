// Package bench measures a running Sluse against its floors: a thin server on the same PostgreSQL,
// with the same body and the same number of clients. It is black box: it starts the real binary
// and knows only HTTP and /proc. The long tier copies what Sluse has stored, in the database, until
// a million resources are there, and measures beside a store of ten thousand.
package bench
