// The TextMate grammar over every recipe and architecture of the repository: no region stays open, nothing is invalid.

import assert from "node:assert/strict";
import * as fs from "node:fs";
import * as path from "node:path";
import { test } from "node:test";

import { createOnigScanner, createOnigString, loadWASM } from "vscode-oniguruma";
import { INITIAL, Registry, type StackElement, parseRawGrammar } from "vscode-textmate";

const extension = process.cwd();
const repository = path.join(extension, "../..");
const grammarFile = path.join(extension, "syntaxes/icp.tmLanguage.json");

function files(folder: string): string[] {
  const all = fs.readdirSync(path.join(repository, folder), { recursive: true, encoding: "utf8" });
  return all.filter((file) => file.endsWith(".icp")).map((file) => path.join(repository, folder, file));
}

async function grammar() {
  const wasm = path.join(extension, "node_modules/vscode-oniguruma/release/onig.wasm");
  await loadWASM({ data: new Uint8Array(fs.readFileSync(wasm)).buffer });
  const registry = new Registry({
    onigLib: Promise.resolve({ createOnigScanner, createOnigString }),
    loadGrammar: async () => parseRawGrammar(fs.readFileSync(grammarFile, "utf8"), grammarFile),
  });
  const loaded = await registry.loadGrammar("source.icp");
  assert.ok(loaded);
  return loaded;
}

test("every file of the repository ends where it began", async () => {
  const icp = await grammar();
  const all = [...files("examples"), ...files("stdlib")];
  assert.ok(all.length > 5, `${all.length} files`);
  for (const file of all) {
    let state: StackElement = INITIAL;
    const lines = fs.readFileSync(file, "utf8").split("\n");
    lines.forEach((line, i) => {
      const result = icp.tokenizeLine(line, state);
      state = result.ruleStack;
      const invalid = result.tokens.find((token) => token.scopes.some((scope) => scope.startsWith("invalid")));
      assert.equal(invalid, undefined, `${file}:${i + 1}: ${line}`);
    });
    assert.equal(state.depth, 1, `${file}: a region of the grammar stays open`);
  }
});
