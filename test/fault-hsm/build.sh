#!/bin/sh
# Builds build/fault-hsm.so. Another process may be loading the old one, so the new one is moved into its place.
set -eu
cd "$(dirname "$0")"
mkdir -p build
new=$(mktemp build/new.XXXXXX)
trap 'rm -f "$new"' EXIT
# nodelete: a program that closes and reopens the module keeps its handles and the state of its rules.
${CC:-cc} -std=gnu17 -D_GNU_SOURCE -O2 -g -Wall -Wextra -fPIC -shared -fvisibility=hidden -pthread -Wl,-z,nodelete -Wl,-z,defs \
  -o "$new" module/*.c -ldl
chmod 755 "$new"
mv -f "$new" build/fault-hsm.so
