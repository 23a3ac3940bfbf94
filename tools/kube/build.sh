#!/usr/bin/env bash
# Builds the local Kubernetes control plane (etcd, API server, controller manager, scheduler, kubectl, kwok) into bin/
# beside this script. Does nothing when every binary is there and none is older than go.mod or go.sum.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

go=${GO:-go}
packages=$(sed -n '/^tool (/,/^)/{s/^\t//p}' go.mod)
version=$(sed -n 's/^[[:space:]]*k8s\.io\/kubernetes \(v[^ ]*\).*/\1/p' go.mod | head -n 1)

# binary prints the name that go build gives to a package: its last path element that is no major version.
binary() { sed -E 's#/v[0-9]+$##; s#.*/##' <<<"$1"; }

stale=()
for p in $packages; do
	b=bin/$(binary "$p")
	if [[ ! -x $b || go.mod -nt $b || go.sum -nt $b ]]; then stale+=("$p"); fi
done
if [[ ${#stale[@]} -eq 0 ]]; then
	echo "kube: control plane $version is built"
	exit 0
fi

echo "kube: building control plane $version: first build takes 7 to 10 minutes on two cores; cached afterwards"
mkdir -p bin
n=0 started=$SECONDS
for p in "${stale[@]}"; do
	n=$((n + 1)) b=$(binary "$p")
	echo "kube: [$n/${#stale[@]}] $p ($((SECONDS - started)) s so far)"
	# Built aside and moved, so that an interrupted build leaves no binary that looks finished and a running one is not
	# written over. -X gives the API server its real version to report.
	CGO_ENABLED=0 "$go" build -ldflags="-s -w -X k8s.io/component-base/version.gitVersion=$version" -o "bin/.$b.new" "$p"
	touch "bin/.$b.new"
	mv -f "bin/.$b.new" "bin/$b"
done
echo "kube: done in $((SECONDS - started)) s"
