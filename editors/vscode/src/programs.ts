// The programs of this machine: the server and the compiler.

import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import * as vscode from "vscode";

import { type Located, locate } from "./locate";

export function server(context: vscode.ExtensionContext): Located {
  return find("icpc-lsp", "server.path", path.join(context.extensionPath, "server"));
}

/** The compiler; it comes with the server where the extension holds one. */
export function compiler(context: vscode.ExtensionContext): Located {
  return find("icpc", "path", path.join(context.extensionPath, "server"));
}

function find(program: string, setting: string, bundled: string): Located {
  const workspace = vscode.workspace.workspaceFolders?.[0]?.uri;
  return locate({
    program,
    setting: `icpc.${setting}`,
    configured: vscode.workspace.getConfiguration("icpc").get<string>(setting, ""),
    bundled,
    searchPath: process.env.PATH ?? "",
    ...(workspace?.scheme === "file" ? { workspace: workspace.fsPath } : {}),
    home: os.homedir(),
    platform: process.platform,
    isProgram,
  });
}

function isProgram(file: string): boolean {
  try {
    fs.accessSync(file, fs.constants.X_OK);
    return fs.statSync(file).isFile();
  } catch {
    return false;
  }
}
