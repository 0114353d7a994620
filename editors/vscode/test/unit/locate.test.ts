import assert from "node:assert/strict";
import { test } from "node:test";

import { type Places, locate } from "../../src/locate";

const places = (over: Partial<Places>, ...programs: string[]): Places => ({
  program: "icpc-lsp",
  setting: "icpc.server.path",
  configured: "",
  bundled: "/ext/server",
  searchPath: "/usr/bin::/opt/icpc",
  home: "/home/a",
  platform: "linux",
  isProgram: (file) => programs.includes(file),
  ...over,
});

test("the setting comes first, then the extension, then PATH", () => {
  const all = ["/my/lsp", "/ext/server/icpc-lsp", "/opt/icpc/icpc-lsp"];
  assert.deepEqual(locate(places({ configured: "/my/lsp" }, ...all)), { path: "/my/lsp" });
  assert.deepEqual(locate(places({}, ...all)), { path: "/ext/server/icpc-lsp" });
  assert.deepEqual(locate(places({}, "/opt/icpc/icpc-lsp")), { path: "/opt/icpc/icpc-lsp" });
});

test("a wrong setting is said, not passed over", () => {
  const found = locate(places({ configured: "/my/lsp" }, "/ext/server/icpc-lsp"));
  assert.deepEqual(found, { missing: "The setting `icpc.server.path` names /my/lsp, which is not a program." });
  assert.match((locate(places({ configured: "lsp" })) as { missing: string }).missing, /no folder is open/);
});

test("settings may be relative to the workspace or to home", () => {
  const inside = places({ configured: "target/debug/icpc-lsp", workspace: "/w" }, "/w/target/debug/icpc-lsp");
  assert.deepEqual(locate(inside), { path: "/w/target/debug/icpc-lsp" });
  assert.deepEqual(locate(places({ configured: "~/bin/x" }, "/home/a/bin/x")), { path: "/home/a/bin/x" });
});

test("nothing found names the remedy", () => {
  const { missing } = locate(places({})) as { missing: string };
  assert.match(missing, /neither in the extension nor in PATH/);
  assert.match(missing, /icpc\.server\.path/);
});

test("Windows has its own names", () => {
  const windows = places(
    { platform: "win32", bundled: "C:\\ext\\server", searchPath: "C:\\a;C:\\b c" },
    "C:\\b c\\icpc-lsp.exe",
  );
  assert.deepEqual(locate(windows), { path: "C:\\b c\\icpc-lsp.exe" });
});
