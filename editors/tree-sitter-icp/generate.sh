#!/usr/bin/env bash
# Writes src/ from grammar.js, and brings the trees of test/corpus up to date; look at both before committing them.
# Needs the program: cargo install tree-sitter-cli --version 0.27.1 --locked
set -euo pipefail
cd "$(dirname "$0")"

# 14 is the newest version of parsers that Neovim before 0.11 and Helix before 25.01 load.
tree-sitter generate --abi 14
tree-sitter test --update
# A test compares this with grammar.js, so that no parser is older than its grammar.
sha256sum grammar.js > src/grammar.sha256
