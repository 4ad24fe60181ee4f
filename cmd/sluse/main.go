// Command sluse lets health information pass between levels of care, as far as the patient has
// agreed. One file for each subcommand; wire.go puts the parts together.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/alecthomas/kong"
)

// grammar is the command line.
type grammar struct {
	LogLevel    slog.Level         `help:"Least level that is logged: debug, info, warn or error." default:"info" placeholder:"LEVEL"`
	Version     kong.VersionFlag   `help:"Print the version and exit."`
	Demo        demoCommand        `cmd:"" help:"Run Sluse with synthetic persons, tell their story, and serve."`
	Serve       serveCommand       `cmd:"" help:"Serve FHIR and messages."`
	Migrate     migrateCommand     `cmd:"" help:"Bring the database to the schema of this binary."`
	Verify      verifyCommand      `cmd:"" help:"Check the ledger against a signed checkpoint."`
	Policy      policyCommand      `cmd:"" help:"Ask the rules themselves."`
	Translate   translateCommand   `cmd:"" help:"Translate a message from standard input to standard output."`
	Conformance conformanceCommand `cmd:"" help:"Check that an installation does what it promises, over HTTP."`
}

// streams are the process's own, passed in so that commands can be run in tests.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if os.Getenv("GOGC") == "" && os.Getenv("GOMEMLIMIT") == "" {
		// The live heap is small: collect it less often, and as often as need be below the limit.
		debug.SetGCPercent(400)
		debug.SetMemoryLimit(208 << 20)
	}
	os.Exit(run(ctx, os.Args[1:], streams{os.Stdin, os.Stdout, os.Stderr}))
}

// exitError ends the process with a status of its own and prints nothing more.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// run performs one command line and gives the exit status: 0 done, 1 failed, 2 not understood.
func run(ctx context.Context, args []string, s streams) (status int) {
	var g grammar
	done := -1 // kong asks to exit after --help and --version
	parser, err := kong.New(&g,
		kong.Name("sluse"), kong.Description("Sluse lets health information pass between levels of care, as far as the patient has agreed."),
		kong.Writers(s.out, s.err), kong.Vars{"version": version()}, kong.UsageOnError(),
		kong.Exit(func(code int) { done = code }), kong.BindTo(ctx, (*context.Context)(nil)), kong.Bind(s),
	)
	if err != nil {
		fmt.Fprintln(s.err, "sluse:", err)
		return 2
	}
	line, err := parser.Parse(args)
	if done >= 0 {
		return done
	}
	if err != nil {
		fmt.Fprintln(s.err, "sluse:", err)
		return 2
	}
	log := slog.New(slog.NewJSONHandler(s.err, &slog.HandlerOptions{Level: g.LogLevel}))
	err = line.Run(log)
	var exit exitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return int(exit)
	}
	fmt.Fprintln(s.err, "sluse:", err)
	return 1
}

// version is what the build recorded.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	v := info.Main.Version
	for _, setting := range info.Settings {
		if setting.Key == "vcs.revision" && len(setting.Value) >= 12 {
			v += " " + setting.Value[:12]
		}
	}
	if v == "" {
		return "unknown"
	}
	return v
}
