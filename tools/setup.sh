#!/usr/bin/env bash
# Installs what the tests and the demo need and this machine lacks, from Debian's packages. Does nothing when all is there.
set -euo pipefail
need=()
has() { command -v "$1" >/dev/null 2>&1; }
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || need+=(postgresql)
has psql || need+=(postgresql-client)
[ -x /usr/sbin/mariadbd ] || need+=(mariadb-server)
has redis-server || need+=(redis-server)
[ -x /usr/sbin/slapd ] || need+=(slapd)
[ -x /usr/lib/rabbitmq/bin/rabbitmq-server ] || need+=(rabbitmq-server)
[ -x /usr/sbin/sshd ] || need+=(openssh-server)
has ssh-keygen || need+=(openssh-client)
has openssl || need+=(openssl)
has sudo || need+=(sudo)
has gcc || need+=(gcc libc6-dev)
[ -x /usr/bin/chromium ] || need+=(chromium)
has strace || need+=(strace)
if [ ${#need[@]} -eq 0 ]; then exit 0; fi
echo "setup: installing ${need[*]}"
if [ "$(id -u)" != 0 ]; then
  echo "setup: run as root, or install them yourself: apt-get install --no-install-recommends ${need[*]}" >&2
  exit 1
fi
# The servers are started by the tests, on their own ports: the packages must not start the system's instances.
if [ ! -e /usr/sbin/policy-rc.d ]; then
  printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
  chmod 755 /usr/sbin/policy-rc.d
  trap 'rm -f /usr/sbin/policy-rc.d' EXIT
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends "${need[@]}" >/dev/null
