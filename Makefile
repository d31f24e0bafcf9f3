# The toolchain is exactly the one that go.mod names: what is built depends on
# it, byte for byte.
export GOTOOLCHAIN := $(shell awk '$$1 == "toolchain" { print $$2 }' go.mod)
export GOFLAGS := -buildvcs=false -trimpath
export CGO_ENABLED := 0

bin := $(CURDIR)/.tools/bin
export PATH := $(bin):$(PATH)

commit := $(shell git rev-parse HEAD 2>/dev/null)
ldflags := -s -w -X main.commit=$(commit)

.PHONY: help
help: ## Say what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: rehearse
rehearse: build release-tools ## Release HEAD in a world of its own on this machine
	@$(bin)/ghhelper rehearse --report rehearsal $(VERSION)

.PHONY: test
test: build tools ## Run the tests
	go test -timeout 30m ./...

.PHONY: race
race: build tools ## Run the tests with the race detector, shuffled
	CGO_ENABLED=1 go test -timeout 45m -race -shuffle=on ./...

.PHONY: build
build: ## Build ghhelper
	@go build -ldflags '$(ldflags)' -o $(bin)/ghhelper ./cmd/ghhelper

ARCH ?= $(shell go env GOARCH)

.PHONY: ko-build-local
ko-build-local: $(bin)/ko ## Build the commands' images for linux/ARCH, into Docker or an OCI layout
	@go run ./hack/ko-build-local -arch '$(ARCH)' -commit '$(commit)'

# Each tool is pinned, with all that it is built from, in a module of its own.
tool = $(bin)/$(1): tools/$(2)/go.mod tools/$(2)/go.sum ; \
	@echo "building $(1), once; this takes up to a few minutes" && \
	GOFLAGS='-trimpath -mod=readonly' go -C tools/$(2) build -o $(bin)/ tool && touch $$@

tools := goreleaser cyclonedx-gomod helm actionlint staticcheck
$(foreach t,$(tools),$(eval $(call tool,$(t),$(t))))
# Except ko: goreleaser is built from it, and builds our images with that one.
$(eval $(call tool,ko,goreleaser))
$(bin)/ko: | $(bin)/goreleaser

.PHONY: tools
tools: $(bin)/goreleaser $(bin)/ko $(bin)/cyclonedx-gomod $(bin)/helm ## Build the pinned tools

.PHONY: release-tools
release-tools: $(bin)/goreleaser $(bin)/cyclonedx-gomod ## Build those of them that a release takes

# The scripts of the composite actions are looked at by test/actions.
.PHONY: lint
lint: build $(bin)/staticcheck $(bin)/actionlint ## Look for faults in the code, the workflows, the scripts and the references
	@command -v shellcheck >/dev/null || { echo "lint: no command shellcheck found on PATH: install it, by apt-get install shellcheck or brew install shellcheck" >&2; exit 1; }
	@folders=$$(go list -f '{{.Dir}}' ./...) && \
	  unformatted=$$("$$(go env GOROOT)/bin/gofmt" -l $$folders) && test -z "$$unformatted" || \
	  { printf 'lint: not formatted, or not looked at; run gofmt -w on\n%s\n' "$$unformatted" >&2; exit 1; }
	go vet ./...
	staticcheck ./...
	actionlint .github/workflows/*.yml
	shellcheck --external-sources $$(git ls-files --cached --others --exclude-standard -- '*.sh' .ci/run)
	go test -count=1 ./test/actions
	ghhelper verify --offline

.PHONY: bench
bench: build tools ## Measure ghhelper against its limits and its alternatives
	@go run ./hack/bench
