# Keyturn's tasks. `make help` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
GO ?= go
KUBE_BIN := tools/kube/bin

.PHONY: help setup kube console console-test check test baseline build run demo bench torture reproduce sbom vuln

help: ## list the tasks
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: ## install what is missing on this machine (Debian packages; needs root)
	@tools/setup.sh

kube: ## build the local Kubernetes control plane (7 to 10 minutes the first time, then cached)
	@tools/kube/build.sh

build: console ## build bin/keyturn with the console in it
	@echo "build: bin/keyturn (about a minute the first time)"
	@mkdir -p bin
	$(GO) build -trimpath -ldflags="-s -w" -o bin/keyturn ./cmd/keyturn

run: build ## run the server alone, with its data in ./data (more flags: make run ARGS=…)
	bin/keyturn server --data data $(ARGS)

demo: setup kube build ## play the whole story on real servers and leave them running (DEMO_ONCE=1: stop them again)
	@$(GO) run ./test/demo

bench: setup kube build ## measure speed and memory against this machine's own limits and the console's budgets (about 20 minutes; writes bench/out.json; ARGS='-only NAME,NAME' takes some)
	@$(GO) run ./test/bench $(ARGS)

torture: setup kube console ## turn keys on real systems while everything goes wrong, and prove that nothing is lost (20 minutes; SEED=… RUNS=…)
	$(GO) run ./test/torture $(if $(SEED),-seed $(SEED)) -runs $(or $(RUNS),200)

check: ## formatting, vet, modules are those of go.sum, generated code is fresh
	@out=$$(gofmt -l $$(git ls-files '*.go')); [ -z "$$out" ] || { echo "not gofmt'ed:"; echo "$$out"; exit 1; }
	$(GO) vet ./...
	$(GO) mod verify

test: setup kube check console-test ## install what is missing and run every test
	$(GO) test -race -timeout 75m ./test/e2e $$($(GO) list ./... | grep -v '/test/e2e$$') # the longest first, beside the others

reproduce: console ## check the modules against go.sum, build twice, the second time elsewhere and with nothing cached, and compare (minutes)
	@tools/reproduce.sh

sbom: build ## write the bill of materials of bin/keyturn to bin/keyturn.cdx.json (CycloneDX)
	@$(GO) run ./tools/sbom bin/keyturn console/package-lock.json > bin/keyturn.cdx.json
	@echo "sbom: bin/keyturn.cdx.json"

vuln: ## look for known vulnerabilities in what is called (asks vuln.go.dev, so it is no part of make test)
	$(GO) run golang.org/x/vuln/cmd/govulncheck@v1.9.0 ./...

baseline: setup kube console ## take the console's pictures anew that `make test` compares with (10 minutes; look at them before you commit them)
	$(GO) test -count=1 -v -timeout 40m -run '^TestConsole(Pages)?$$' ./test/e2e -update

console/node_modules/.done: console/package.json console/package-lock.json
	cd console && npm ci --no-audit --no-fund
	@touch $@

console: console/node_modules/.done ## build the console
	cd console && npm run build

console-test: console/node_modules/.done ## check, test and build the console
	cd console && npm run check && npm run build
