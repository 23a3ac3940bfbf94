# Keyturn's tasks. `make help` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
GO ?= go
KUBE_BIN := tools/kube/bin

.PHONY: help setup kube console console-test check test

help: ## list the tasks
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: ## install what is missing on this machine (Debian packages; needs root)
	@tools/setup.sh

kube: ## build the local Kubernetes control plane (7 to 10 minutes the first time, then cached)
	@tools/kube/build.sh

check: ## formatting, vet, generated code is fresh
	@out=$$(gofmt -l $$(git ls-files '*.go')); [ -z "$$out" ] || { echo "not gofmt'ed:"; echo "$$out"; exit 1; }
	$(GO) vet ./...

test: setup kube check ## install what is missing and run every test
	$(GO) test -race -timeout 40m ./...
	@$(MAKE) --no-print-directory console-test

console/node_modules/.done: console/package.json console/package-lock.json
	cd console && npm ci --no-audit --no-fund
	@touch $@

console: console/node_modules/.done ## build the console
	cd console && npm run build

console-test: console/node_modules/.done ## check, test and build the console
	cd console && npm run check && npm run build
