# Elsewhere, make -f …/Makefile works like make -C ….
# (make's own functions split a path at its spaces.)
here := $(shell cd "$$(dirname '$(strip $(MAKEFILE_LIST))')" && pwd -P)
ifneq ($(shell pwd -P),$(here))
goals := $(or $(MAKECMDGOALS),help)
.PHONY: $(goals) from-here
$(goals): from-here ; @:
from-here: ; @$(MAKE) --no-print-directory -C '$(here)' $(goals)
else

# The bytes of a build depend on the toolchain, so it is exactly that of go.mod.
export GOTOOLCHAIN := $(shell awk '$$1 == "toolchain" { print $$2 }' go.mod)
export GOFLAGS := -buildvcs=false -trimpath
export CGO_ENABLED := 0

bin := .tools/bin
export PATH := $(CURDIR)/$(bin):$(PATH)

commit := $(shell git rev-parse HEAD 2>/dev/null)
# By default, functions are aligned to 32 bytes on amd64 and to 16 on arm64. With about
# 60,000 functions, 32 wastes half a megabyte.
ldflags := -s -w -funcalign=16 -X main.commit=$(commit)

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: rehearse
rehearse: build release-tools ## Rehearse the release of HEAD against a fake network on this machine
	@$(bin)/ghhelper rehearse --report rehearsal $(VERSION)

.PHONY: check
check: ## Run the unit tests and laws, which need no built tools
	go test -short ./cmd/... ./internal/... ./test/laws

# The packages whose tests take longest begin first, so that no core is idle at the end. make lint
# runs vet.
longest := ./internal/release ./test/interleaving ./test/upstream ./cmd/ghhelper ./test/actions

.PHONY: test
test: build tools ## Run all tests
	go test -vet=off -timeout 60m $(longest) ./...

.PHONY: test-cluster
test-cluster: build release-tools cluster-tools ## Install the release in a real control plane and check every reference
	@go test -tags cluster -count=1 -v -timeout 15m ./test/cluster

.PHONY: test-workflows
test-workflows: build release-tools $(bin)/act ## Run the workflows of an organisation that calls ours, with act, in a fake network
	go test -tags workflows -count=1 -timeout 30m ./test/workflows

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

# Each tool has its own module, which pins its dependencies. Arguments: the program, the
# folder in tools, the output name ("" for the default), flags, and which of the folder's
# programs to build (default: all).
tool = $(bin)/$(1): tools/$(2)/go.mod tools/$(2)/go.sum ; \
	@echo "building $(1), once; this takes up to a few minutes" && \
	GOFLAGS='-trimpath -mod=readonly' go -C tools/$(2) build $(4) -o '$(CURDIR)/$(bin)/$(3)' $(or $(5),tool) && touch $$@

tools := cyclonedx-gomod helm helm-docs actionlint staticcheck gosh act
$(foreach t,$(tools),$(eval $(call tool,$(t),$(t),,-ldflags='-s -w')))
$(eval $(call tool,goreleaser,goreleaser,,-ldflags='-s -w',github.com/goreleaser/goreleaser/v2))
$(eval $(call tool,gh,gh,,-ldflags='-s -w'))
# attest-test is our own program: an authority that attests for tests.
$(eval $(call tool,attest-test,attest-test,attest-test,-ldflags='-s -w',.))
$(bin)/attest-test: $(wildcard tools/attest-test/*.go)
$(eval $(call tool,etcd,etcd,etcd,-ldflags='-s -w'))
$(eval $(call tool,kubeflex-manager,kubeflex,kubeflex-manager,-ldflags='-s -w'))
kubernetes := -ldflags='-s -w -X k8s.io/component-base/version.gitVersion=v1.34.4'
$(foreach t,kubectl kube-apiserver kube-controller-manager,$(eval $(call tool,$(t),kubernetes,,$(kubernetes),k8s.io/kubernetes/cmd/$(t))))
# ko is in goreleaser's module, which builds images with it.
$(eval $(call tool,ko,goreleaser,,-ldflags='-s -w',github.com/google/ko))

.PHONY: tools
tools: $(bin)/goreleaser $(bin)/ko $(bin)/cyclonedx-gomod $(bin)/helm $(bin)/kubectl $(bin)/gh $(bin)/attest-test ## Build the pinned tools

.PHONY: release-tools
release-tools: $(bin)/goreleaser $(bin)/cyclonedx-gomod ## Build the tools for a release

.PHONY: image-tools
image-tools: $(bin)/ko ## Build the tool for images of other projects' tools

.PHONY: cluster-tools
cluster-tools: $(addprefix $(bin)/,helm kubectl gosh etcd kube-apiserver kube-controller-manager kubeflex-manager) ## Build a control plane

# Derived files are in git, and hack/verify-codegen.sh checks that they are current.
# helm-docs exits with 0 even if it fails, but then writes nothing.
readme = @rm -f $(1)/README.md.tmp && \
	helm-docs --chart-search-root $(1) --output-file README.md.tmp --sort-values-order file --log-level warning && \
	{ test -s $(1)/README.md.tmp || { echo "helm-docs made nothing of $(1)/README.md.gotmpl" >&2; exit 1; }; } && \
	mv $(1)/README.md.tmp $(1)/README.md

.PHONY: chart
chart: $(bin)/helm-docs ## Derive the README of controller-manager-chart
	$(call readme,chart)

.PHONY: all-generated
all-generated: $(bin)/helm-docs ## Derive the other derived files: READMEs, schemas, commands, renderings, graph
	$(call readme,core-chart)
	@go test -count=1 ./internal/delivery -run '^TestSchemaIsDerived$$' -update
	@go test -count=1 ./cmd/ghhelper -run '^(TestSchemas|TestCommands)AreDerived$$' -update
	@go test -count=1 ./test/actions -run '^TestUpdate$$' -update
	@go test -count=1 ./test/charts -run '^TestRenderingsAreTheGoldenOnes$$' -update
	@go run ./hack/graph

# test/actions checks the scripts of the composite actions. It is one of the packages of make test, so
# CI runs only lint-static after that.
.PHONY: lint
lint: lint-static ## Check the code, the workflows, the scripts and the references
	go test -count=1 ./test/actions

.PHONY: lint-static
lint-static: build $(bin)/staticcheck $(bin)/actionlint
	@command -v shellcheck >/dev/null || { echo "lint: no command shellcheck found on PATH: install it, by apt-get install shellcheck or brew install shellcheck" >&2; exit 1; }
	@folders=$$(go list -f '{{.Dir}}' ./...) && \
	  unformatted=$$(printf '%s\n' "$$folders" | tr '\n' '\0' | xargs -0 "$$(go env GOROOT)/bin/gofmt" -l) && \
	  test -z "$$unformatted" || \
	  { printf 'lint: not formatted, or not checked; run gofmt -w on\n%s\n' "$$unformatted" >&2; exit 1; }
	go vet -tags cluster,workflows ./...
	staticcheck -tags cluster,workflows ./...
	actionlint .github/workflows/*.yml
	shellcheck --external-sources $$(git ls-files --cached --others --exclude-standard -- '*.sh' .ci/run)
	ghhelper verify --offline

.PHONY: bench
bench: build tools ## Measure ghhelper against its limits and its alternatives
	@go run ./hack/bench
endif
