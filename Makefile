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
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: rehearse
rehearse: build $(bin)/goreleaser $(bin)/cyclonedx-gomod ## Release HEAD in a world of its own on this machine
	@$(bin)/ghhelper rehearse --report rehearsal $(VERSION)

.PHONY: test
test: build tools ## Run the tests
	go test ./...

.PHONY: race
race: build tools ## Run the tests with the race detector, shuffled
	CGO_ENABLED=1 go test -race -shuffle=on ./...

.PHONY: build
build: ## Build ghhelper
	@go build -ldflags '$(ldflags)' -o $(bin)/ghhelper ./cmd/ghhelper

# Each tool is pinned, with all that it is built from, in a module of its own.
tool = $(bin)/$(1): tools/$(1)/go.mod tools/$(1)/go.sum ; \
	@echo "building $(1), once; this takes up to a few minutes" && \
	GOFLAGS='-trimpath -mod=readonly' go -C tools/$(1) build -o $(bin)/ tool && touch $$@

tools := goreleaser cyclonedx-gomod helm actionlint staticcheck
$(foreach t,$(tools),$(eval $(call tool,$(t))))

.PHONY: tools
tools: $(bin)/goreleaser $(bin)/cyclonedx-gomod $(bin)/helm ## Build the pinned tools
