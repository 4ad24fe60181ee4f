# Two commands matter: make demo and make test. Both find or install what they need.

GO ?= go
ARGS ?=
BENCH ?= .
export GOFLAGS := -mod=readonly -buildvcs=false -tags=nomsgpack
export SLUSE_REFERENCE ?= $(abspath ../shared/reference)

LINT_VERSION := v2.15.0
LINT := .bin/golangci-lint-$(LINT_VERSION)

.DEFAULT_GOAL := help
.PHONY: help demo test test-reference lint bench soak sabotage postgres broker browser clients xmllint

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: postgres ## run the story on synthetic persons, then serve (ARGS=--once ends by itself)
	$(GO) build -o .bin/sluse ./cmd/sluse
	.bin/sluse demo --log-level=warn $(ARGS)

test: postgres clients ## vet, then every test that needs nothing outside the repository
	$(GO) vet ./...
	$(GO) test -timeout 30m ./...

test-reference: postgres xmllint ## the tests that read the reference data (SLUSE_REFERENCE)
	@test -d "$(SLUSE_REFERENCE)" || { echo "test-reference: no directory $(SLUSE_REFERENCE): set SLUSE_REFERENCE" >&2; exit 1; }
	.ci/tagged reference -timeout 30m

lint: $(LINT) ## gofmt and golangci-lint
	@unformatted=$$(gofmt -l $$(find . -name '*.go' -not -path './.*')); test -z "$$unformatted" || { echo "gofmt -w $$unformatted" >&2; exit 1; }
	$(LINT) run ./...

bench: postgres ## the budgets beside their floors (BENCH=regexp)
	$(GO) test -run '^$$' -bench '$(BENCH)' -benchmem -timeout 30m ./...

soak: postgres broker browser ## the long tests: kill loop, load, growth, queues
	.ci/tagged soak -timeout 90m -v

sabotage: postgres clients ## break every guard in turn and demand a red test
	$(GO) run ./conformance/sabotage

postgres:
	@deploy/ensure-postgres

broker:
	@deploy/ensure-broker

browser:
	@deploy/ensure-browser

xmllint:
	@deploy/ensure-xmllint

clients:
	@deploy/ensure-clients

$(LINT): conformance/tools/lint/go.mod
	cd conformance/tools/lint && $(GO) build -o ../../../$(LINT) github.com/golangci/golangci-lint/v2/cmd/golangci-lint
	@touch $(LINT)
