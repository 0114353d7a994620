#!/usr/bin/env bash
# Makes icpc.vsix: ./package.sh [FOLDER]
# FOLDER holds `icpc-lsp`, and `icpc` for running recipes: both go into the package, which is then for this platform only.
# Without it the package takes them from PATH. Needs Node 20 or newer.
set -euo pipefail
programs=${1:+$(realpath "$1")}
cd "$(dirname "$0")"

[ -d node_modules ] || npm ci --no-audit --no-fund
npm run --silent check
npm run --silent build

rm -rf server
trap 'rm -rf server LICENSE-MIT LICENSE-APACHE' EXIT
cp ../../LICENSE-MIT ../../LICENSE-APACHE .
options=()
if [ -n "$programs" ]; then
    mkdir server
    install -m 755 "$programs/icpc-lsp" server/
    if [ -x "$programs/icpc" ]; then install -m 755 "$programs/icpc" server/; fi
    options+=(--target "$(node -p 'process.platform + "-" + process.arch')")
fi
npx --no-install vsce package --no-dependencies --skip-license --allow-missing-repository --out icpc.vsix "${options[@]}"
