#!/bin/sh
# Install the packages of tests/node, unless those of its lock file are there. Without npm nothing is installed, and the
# tests that need them say so.
set -eu
cd "$(dirname "$0")"

stamp=node_modules/.stamp
wanted=$(sha256sum package-lock.json | cut -d ' ' -f 1)
if [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then
    exit 0
fi
if ! command -v npm >/dev/null; then
    echo "npm is not installed: tests that use the Node.js client are skipped." >&2
    exit 0
fi
npm ci --no-audit --no-fund --loglevel=error
echo "$wanted" >"$stamp"
