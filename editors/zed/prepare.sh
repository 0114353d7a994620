#!/usr/bin/env bash
# Writes target/zed: this folder with the repository and the commit from which Zed takes the grammar.
set -euo pipefail
cd "$(dirname "$0")/../.."
rm -rf target/zed
mkdir -p target
cp -r editors/zed target/zed
sed -i.bak "s|^repository = .*/icpc\"\$|repository = \"file://$PWD\"|; s|^rev = .*|rev = \"$(git rev-parse HEAD)\"|" target/zed/extension.toml
rm target/zed/extension.toml.bak
echo "$PWD/target/zed"
