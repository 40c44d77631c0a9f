# Every target needs Go and make. What else one needs, it installs.

.DEFAULT_GOAL := help
SHELL := bash
.SHELLFLAGS := -euo pipefail -c

GOLANGCI_LINT := go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
FUZZTIME ?= 30s
BENCHFLAGS ?=
SOAK_TIME ?= 1h
SOAKFLAGS ?=
BENCHSTAT := go run golang.org/x/perf/cmd/benchstat@v0.0.0-20260908200009-22c9c6c9d4da
MICRO ?= ./internal/seal ./internal/store/sqlite ./internal/vault ./internal/middleware \
	./internal/api ./internal/server
MICRO_BENCH ?= .
MICRO_COUNT ?= 6
# The clients in Go that test/clients runs are a module of their own.
CLIENTS := test/clients/programs

.PHONY: help
help: ## show this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  %-13s %s\n", $$1, $$2}' Makefile

.PHONY: run
run: build ## a development server with its data in ./.keysake-dev
	./bin/keysake serve --dev

.PHONY: demo
demo: build ## the same, before a stand-in for OpenAI: it takes any key, and nothing leaves the machine
	@CGO_ENABLED=0 go build -o bin/ ./test/demo
	./bin/demo ./bin/keysake serve --dev

.PHONY: build
build: ## the static binaries, bin/keysake and bin/keysake-kms
	CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o bin/ ./cmd/keysake ./cmd/keysake-kms

.PHONY: size
size: build ## that the static binary of the server is below 34 MB
	@n=$$(wc -c < bin/keysake); echo "bin/keysake: $$n bytes"; [ "$$n" -lt 34000000 ] || { \
		echo "it is not below 34 MB: what was linked that is not used?"; exit 1; }

.PHONY: readers
readers: # what test/readers runs: on Debian it is installed
	@node -e '' 2>/dev/null && { python3 -c 'import cryptography' || \
		/usr/bin/python3 -c 'import cryptography'; } 2>/dev/null || \
		{ apt-get update -qq && apt-get install -y -qq nodejs python3-cryptography; } >/dev/null

.PHONY: client-programs
client-programs: readers # what test/clients runs: on Debian it is installed
	@{ command -v curl && command -v git && command -v gh && command -v npm; } >/dev/null || \
		{ apt-get update -qq && apt-get install -y -qq curl git gh && \
		{ command -v npm || apt-get install -y -qq npm; }; } >/dev/null
	@python3 -c 'import httpx, pydantic' 2>/dev/null || \
		/usr/bin/python3 -c 'import httpx, pydantic' 2>/dev/null || \
		{ apt-get update -qq && apt-get install -y -qq python3-httpx python3-pydantic; } >/dev/null

.PHONY: postgres
postgres: # the database that tests start for themselves: on Debian it is installed, and no server set up
	@ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null || { \
		mkdir -p /etc/postgresql-common/createcluster.d; \
		echo 'create_main_cluster = false' > /etc/postgresql-common/createcluster.d/keysake.conf; \
		apt-get update -qq && apt-get install -y -qq postgresql; } >/dev/null

# On Debian it is installed, without a service that starts now or with the machine.
.PHONY: fault-programs
fault-programs: postgres # what test/faults runs besides PostgreSQL
	@PATH="$$PATH:/usr/sbin"; missing=; \
	for program in pgbouncer patroni etcd; do \
		command -v $$program >/dev/null || missing="$$missing $$program"; done; \
	[ -z "$$missing" ] || { policy=/usr/sbin/policy-rc.d; \
		[ -e $$policy ] || { trap "rm -f $$policy" EXIT; \
			printf '#!/bin/sh\nexit 101\n' > $$policy; chmod 755 $$policy; }; \
		apt-get update -qq && apt-get install -y -qq $${missing/etcd/etcd-server}; \
		! command -v systemctl || systemctl disable $$missing || true; } >/dev/null

AXE := 4.11.0
TESTS_CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/keysake-tests

.PHONY: browser-programs
browser-programs: # what test/browser runs: on Debian it is installed; axe-core comes from npm
	@command -v chromium >/dev/null || { \
		apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium; } >/dev/null
	@test -f $(TESTS_CACHE)/axe-core-$(AXE)/package/axe.min.js || { \
		command -v npm >/dev/null || { apt-get update -qq && apt-get install -y -qq npm; }; \
		mkdir -p $(TESTS_CACHE)/axe-core-$(AXE); cd $(TESTS_CACHE)/axe-core-$(AXE); \
		npm pack --silent axe-core@$(AXE) && tar xzf axe-core-$(AXE).tgz; } >/dev/null

.PHONY: keyring-programs
keyring-programs: # the keyring that tests start for themselves: on Debian it is installed
	@{ command -v dbus-daemon && command -v gnome-keyring-daemon; } >/dev/null || { \
		apt-get update -qq && \
		apt-get install -y -qq --no-install-recommends dbus-daemon gnome-keyring; } >/dev/null

.PHONY: screenshots
screenshots: browser-programs ## the pictures of docs/pages.md
	mkdir -p docs/pages
	KEYSAKE_SCREENSHOTS=$(CURDIR)/docs/pages go test -count=1 -run TestEveryPage ./test/browser

.PHONY: test
test: client-programs fault-programs browser-programs keyring-programs ## everything that CI holds, but for format, vet and lint
	go test -timeout 20m -json ./... | go run ./test/tally
	go test -exec 'env GODEBUG=fips140=only' ./internal/seal/... ./bundle

.PHONY: check
check: format-check vet lint size test ## what CI runs

.PHONY: format
format: ## write every file in the one format
	$(GOLANGCI_LINT) fmt

.PHONY: format-check
format-check:
	@$(GOLANGCI_LINT) fmt --diff || { echo "run: make format"; exit 1; }

.PHONY: vet
vet:
	go vet ./...
	go mod verify >/dev/null
	go mod tidy -diff
	cd $(CLIENTS) && go vet ./... && go mod verify >/dev/null

.PHONY: lint
lint: ## the linter, at its pinned version
	$(GOLANGCI_LINT) run
	cd $(CLIENTS) && $(GOLANGCI_LINT) run

.PHONY: race
race: client-programs fault-programs browser-programs keyring-programs ## the tests under the race detector
	go test -race -timeout 30m ./...

.PHONY: fuzz
fuzz: ## every fuzz target for FUZZTIME (default 30s)
	@for pkg in $$(go list -f '{{.ImportPath}} {{.Dir}}' ./... | awk '{print $$1}'); do \
		for target in $$(go test -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do \
			echo "$$pkg $$target"; go test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) $$pkg; \
		done; \
	done

.PHONY: generators
generators: ## that generators of clients read openapi.yaml (also needs npm)
	@dir="$$(mktemp -d)"; trap 'rm -rf "$$dir"' EXIT; spec=internal/api/openapi.yaml; \
	go run github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen@v2.8.2 \
		-generate types,client -package api -o "$$dir/client.go" $$spec; \
	go run github.com/ogen-go/ogen/cmd/ogen@v1.24.0 --package api --target "$$dir/ogen" $$spec; \
	npm install --silent --ignore-scripts --no-audit --no-fund --prefix "$$dir" dredd@14.1.0; \
	"$$dir/node_modules/.bin/dredd" $$spec http://127.0.0.1 --names

.PHONY: bench
bench: ## figures of the real binary beside its floors: 6 minutes; DATABASE=postgres for PostgreSQL
	mkdir -p bin && go run ./test/bench $(if $(filter postgres,$(DATABASE)),-postgres \
		-json bin/bench-postgres.json,-json bin/bench$(if $(filter -broker,$(BENCHFLAGS)),-broker).json) \
		$(BENCHFLAGS)

.PHONY: bench-quick
bench-quick: ## the same in less than a minute, and less exact
	go run ./test/bench -rounds 2 -time 400ms -warm-up 200ms -users 300 $(BENCHFLAGS)

.PHONY: bench-growth
bench-growth: ## how they grow from 1,000 secrets to 1,000,000: 8 minutes
	mkdir -p bin && go run ./test/bench -rounds 0 -growth 1000,100000,1000000 \
		-json bin/bench-growth.json $(BENCHFLAGS)

.PHONY: soak
soak: ## mixed work at half the peak rate for SOAK_TIME (default 1h): does anything grow?
	@mkdir -p bin
	go run ./test/soak -time $(SOAK_TIME) -json bin/soak.json $(SOAKFLAGS)

.PHONY: stages
stages: ## where the processor time of a request goes
	@mkdir -p bin
	go run ./test/stages -json bin/stages.json

.PHONY: primary
primary: postgres ## what a run costs PostgreSQL, and how many a second one primary carries
	@go run ./test/primary

.PHONY: charts
charts: ## the charts and tables of docs/performance.md, from docs/performance/*.json
	go run ./test/charts

.PHONY: bench-micro
bench-micro: ## the benchmarks beside the code; MICRO names the packages
	@go test -run '^$$' -bench '$(MICRO_BENCH)' -count $(MICRO_COUNT) -benchtime 300ms -p 1 $(MICRO)

.PHONY: bench-compare
bench-compare: ## whether AFTER differs from BEFORE, two outputs of bench-micro
	@$(BENCHSTAT) $(BEFORE) $(AFTER)

.PHONY: crash
crash: ## many rounds of kill -9 (KEYSAKE_CRASH_ROUNDS, default 50)
	KEYSAKE_CRASH_ROUNDS=$${KEYSAKE_CRASH_ROUNDS:-50} go test -count=1 -timeout 120m -parallel 4 -v ./test/crash

.PHONY: faults
faults: fault-programs ## PostgreSQL, networks, disks and servers that fail, FAULT_ROUNDS times each (default 20)
	FAULT_ROUNDS=$${FAULT_ROUNDS:-20} go test -count=1 -timeout 240m -parallel 5 -v ./test/faults

.PHONY: generate
generate: ## the catalog and the reference pages, from their sources
	go generate ./...
	go run ./cmd/keysake docs settings > docs/settings.md.new && mv docs/settings.md.new docs/settings.md
	go run ./cmd/keysake docs cli > docs/cli.md.new && mv docs/cli.md.new docs/cli.md
