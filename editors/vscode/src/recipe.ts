// Which recipe a command is about.

import * as vscode from "vscode";

export interface Target {
  uri: vscode.Uri;
  recipe?: string;
}

/** From the arguments of a code lens, of a menu (a Uri), or from the editor that is open. */
export function target(uri: unknown, recipe: unknown): Target | undefined {
  const named = typeof recipe === "string" ? { recipe } : {};
  if (typeof uri === "string") {
    return { uri: vscode.Uri.parse(uri), ...named };
  }
  if (uri instanceof vscode.Uri) {
    return { uri, ...named };
  }
  const document = vscode.window.activeTextEditor?.document;
  return document?.languageId === "icp" ? { uri: document.uri, ...named } : undefined;
}
