# Everything a contributor runs. `make demo` needs Go and make alone. `make test` needs
# a redis-server as well, which it installs where it can. Tools are built from source
# into .tmp/bin first, at the versions pinned here and apart from go.mod.

BUF_VERSION                := v1.75.0
PROTOC_GEN_GO_VERSION      := v1.36.12
PROTOC_GEN_CONNECT_VERSION := v1.21.1
PROTOC_GEN_GRPC_VERSION    := v1.6.2
GOLANGCI_LINT_VERSION      := v2.15.0
GRPCURL_VERSION            := v1.9.3

# For each fuzz target, for each benchmark, for the soak; further flags of go test.
FUZZTIME  ?= 20s
BENCHTIME ?= 1s
DURATION  ?= 2m
ROUNDS    ?= 100
COUNT     ?= 5
TESTFLAGS ?=

BIN     := $(CURDIR)/.tmp/bin
MODULES := $(sort $(patsubst %/go.mod,%,$(shell find . -name go.mod -not -path '*/.*' -not -path '*/testdata/*' -not -path '*/node_modules/*')))

# The race detector is written in C. Go sets CGO_ENABLED=0 if it finds no
# compiler.
RACE := $(if $(filter 1,$(shell go env CGO_ENABLED)),-race)

# A stamp's name holds the version of the tool and of the compiler, so that a
# new version of either builds the tool again: golangci-lint refuses code for a
# newer Go than it was built with.
stamp = $(BIN)/.$(1)-$(2)-$(GO_VERSION)
GO_VERSION := $(shell go env GOVERSION)

BUF                := $(call stamp,buf,$(BUF_VERSION))
PROTOC_GEN_GO      := $(call stamp,protoc-gen-go,$(PROTOC_GEN_GO_VERSION))
PROTOC_GEN_CONNECT := $(call stamp,protoc-gen-connect-go,$(PROTOC_GEN_CONNECT_VERSION))
PROTOC_GEN_GRPC    := $(call stamp,protoc-gen-go-grpc,$(PROTOC_GEN_GRPC_VERSION))
GOLANGCI_LINT      := $(call stamp,golangci-lint,$(GOLANGCI_LINT_VERSION))
GRPCURL            := $(call stamp,grpcurl,$(GRPCURL_VERSION))

# $(call each_module,command) runs the command in every module, goes on after a
# failure, and says in its last line how it ended.
define each_module
@failed=; for module in $(MODULES); do \
	printf '\n--- %s: %s\n' "$$module" '$(1)'; \
	(cd "$$module" && $(1)) || failed="$$failed $$module"; \
done; \
if [ -n "$$failed" ]; then printf '\nmake $@: FAILED in%s\n' "$$failed"; exit 1; fi; \
printf '\nmake $@: passed in %s\n' '$(MODULES)'
endef

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "%-15s %s\n", $$1, $$2 }' Makefile

.PHONY: demo
demo: ## Run the quickstart example: a server, a denial, a token, an answer
	@cd examples && go run ./quickstart

.PHONY: redis
redis:
	@command -v redis-server >/dev/null || { apt-get update -qq && apt-get install -y -qq redis-server; } || { echo 'The tests of verifier/valkey need a redis-server: install the package redis-server.'; exit 1; }

.PHONY: test
test: redis $(BUF) ## Test every module, with the race detector where there is a C compiler
	$(if $(RACE),,@echo 'No C compiler found: testing without the race detector.')
	$(call each_module,go test $(strip $(RACE) -shuffle=on $(TESTFLAGS)) ./...)

.PHONY: fuzz
fuzz: ## Run every fuzz target for FUZZTIME (default 20s)
	@FUZZTIME=$(FUZZTIME) .ci/fuzz $(MODULES)

.PHONY: bench
bench: ## Run every benchmark for BENCHTIME (default 1s)
	$(call each_module,go test -run=NONE -bench=. -benchmem -benchtime=$(BENCHTIME) ./...)

.PHONY: bench-peers
bench-peers: ## Compare with other libraries, COUNT times, and servers over loopback for ROUNDS
	@cd bench && go test -run=NONE -bench=. -benchmem -benchtime=$(BENCHTIME) -count=$(COUNT) . && go run ./echo -rounds $(ROUNDS)

.PHONY: soak
soak: ## Check decisions against an oracle under load for DURATION (default 2m)
	@cd bench && go run ./soak -duration $(DURATION)

.PHONY: clients
clients: $(GRPCURL) ## Let curl, grpcurl and the TypeScript MCP SDK into the quickstart (needs curl, node and npm)
	@examples/clients/run $(BIN)/grpcurl

.PHONY: proxies
proxies: $(GRPCURL) ## Put nginx and haproxy in front of the quickstart (needs both, curl, node and npm)
	@examples/clients/proxies/run $(BIN)/grpcurl

.PHONY: providers
providers: ## Let tokens of oidc-provider into the examples, with PROVIDERS="oidc-provider hydra" those of hydra, too (needs node and npm)
	@examples/clients/providers/run $(PROVIDERS)

.PHONY: lint
lint: $(BUF) $(GOLANGCI_LINT) buf-plugin ## Check code, formatting, schema and go.mod
	$(BIN)/golangci-lint config verify
	$(BIN)/buf lint
	$(if $(RELEASED),$(BIN)/buf breaking --against '.git#tag=$(RELEASED)',@echo 'Nothing was released, so no schema can break.')
	$(BIN)/buf format --diff --exit-code
	$(call each_module,$(BIN)/golangci-lint run --config $(CURDIR)/.golangci.yml ./...)
	$(call each_module,go mod tidy -diff)

# What buf lint runs, built anew from this tree.
.PHONY: buf-plugin
buf-plugin:
	cd cmd && go build -o $(BIN)/buf-plugin-drawbridge ./buf-plugin-drawbridge

# The last release, whose schema must not break.
RELEASED = $(shell git describe --tags --abbrev=0 --match 'v*' 2>/dev/null)

.PHONY: release
release: ## Make the release VERSION of every module, prove that it can be installed, and tag it
	@.ci/release '$(VERSION)' --keep

.PHONY: format
format: $(BUF) $(GOLANGCI_LINT) ## Format Go and protobuf files
	$(BIN)/buf format --write
	$(call each_module,$(BIN)/golangci-lint fmt --config $(CURDIR)/.golangci.yml ./...)

.PHONY: generate
generate: $(BUF) $(PROTOC_GEN_GO) $(PROTOC_GEN_CONNECT) $(PROTOC_GEN_GRPC) ## Generate Go from protobuf
	find proto examples/proto \( -name '*.pb.go' -o -name '*.connect.go' \) -delete
	$(BIN)/buf generate
	$(BIN)/buf generate --template examples/buf.gen.yaml

.PHONY: checkgenerate
checkgenerate: generate ## Generate, and fail if that changes what git has
	@changed=$$(git status --porcelain -- '*.pb.go' '*.connect.go'); \
	if [ -n "$$changed" ]; then \
		printf '%s\nmake $@: FAILED: commit what make generate has changed\n' "$$changed"; exit 1; \
	fi; \
	echo 'make $@: generated code is up to date'

# $(call install,tool,package,version)
install = mkdir -p $(BIN) && rm -f $(BIN)/.$(1)-v* && GOBIN=$(BIN) go install $(2)@$(3) && touch $@

$(BUF):
	$(call install,buf,github.com/bufbuild/buf/cmd/buf,$(BUF_VERSION))

$(PROTOC_GEN_GO):
	$(call install,protoc-gen-go,google.golang.org/protobuf/cmd/protoc-gen-go,$(PROTOC_GEN_GO_VERSION))

$(PROTOC_GEN_CONNECT):
	$(call install,protoc-gen-connect-go,connectrpc.com/connect/cmd/protoc-gen-connect-go,$(PROTOC_GEN_CONNECT_VERSION))

$(PROTOC_GEN_GRPC):
	$(call install,protoc-gen-go-grpc,google.golang.org/grpc/cmd/protoc-gen-go-grpc,$(PROTOC_GEN_GRPC_VERSION))

$(GRPCURL):
	$(call install,grpcurl,github.com/fullstorydev/grpcurl/cmd/grpcurl,$(GRPCURL_VERSION))

$(GOLANGCI_LINT):
	$(call install,golangci-lint,github.com/golangci/golangci-lint/v2/cmd/golangci-lint,$(GOLANGCI_LINT_VERSION))
