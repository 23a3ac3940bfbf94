#!/usr/bin/env bash
# Proves that a build can be repeated: the modules are those of go.sum, and the program built a second time, from a copy of
# the sources in another folder and with nothing cached, is the same to the last byte. Takes minutes; the first build's
# packages may come from the cache.
set -euo pipefail
cd "$(dirname "$0")/.."
go mod verify
flags=(-trimpath -buildvcs=false -ldflags="-s -w")
work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
go build "${flags[@]}" -o "$work/first" ./cmd/keyturn
mkdir "$work/elsewhere"
# The console is in the program: its files go along as they were built.
{ git ls-files -z; find console/dist -type f -print0; } | sort -zu | tar --null --files-from=- --create --file=- | tar --extract --directory="$work/elsewhere"
echo "reproduce: building once more with nothing cached, some minutes"
(cd "$work/elsewhere" && GOCACHE="$work/cache" go build "${flags[@]}" -o "$work/second" ./cmd/keyturn)
cmp "$work/first" "$work/second"
echo "reproduce: both are $(sha256sum <"$work/first" | cut -d' ' -f1)"
