// Which checkpoint the open recipe is checked against.

import * as path from "node:path";
import * as vscode from "vscode";

import { type CheckedAgainst, checkpointRequest } from "./protocol";
import { type Server, about } from "./server";
import { describe } from "./size";

export function registerStatus(context: vscode.ExtensionContext, server: Server): void {
  const item = vscode.window.createStatusBarItem("icpc.checkpoint", vscode.StatusBarAlignment.Right, 100);
  item.name = "icpc checkpoint";
  item.command = "icpc.showListing";
  let asked = 0;

  const refresh = async (): Promise<void> => {
    const document = vscode.window.activeTextEditor?.document;
    const mine = ++asked;
    // A plan or a listing that was opened from a recipe leaves its status where it is.
    if (document?.uri.scheme.startsWith("icpc-")) {
      return;
    }
    if (document?.languageId !== "icp") {
      item.hide();
      return;
    }
    let checkpoints: CheckedAgainst[] | undefined;
    try {
      checkpoints = await server.running?.sendRequest(checkpointRequest, about(document.uri));
    } catch {
      // The text moved on while the server looked; the next change asks again.
      return;
    }
    if (mine === asked) {
      show(item, server.running !== undefined, checkpoints ?? []);
    }
  };

  let timer: NodeJS.Timeout | undefined;
  const refreshSoon = (): void => {
    clearTimeout(timer);
    timer = setTimeout(() => void refresh(), 200);
  };
  context.subscriptions.push(
    item,
    server.onChange(refreshSoon),
    vscode.window.onDidChangeActiveTextEditor(() => void refresh()),
    vscode.workspace.onDidChangeTextDocument((event) => {
      if (event.document === vscode.window.activeTextEditor?.document) {
        refreshSoon();
      }
    }),
    { dispose: () => clearTimeout(timer) },
  );
  void refresh();
}

function show(item: vscode.StatusBarItem, running: boolean, recipes: CheckedAgainst[]): void {
  const named = recipes.filter((one) => one.path !== null);
  const names = [...new Set(named.map((one) => path.basename(one.path ?? "")))];
  const wrong = named.some((one) => one.state !== "loaded");
  item.backgroundColor = wrong ? new vscode.ThemeColor("statusBarItem.warningBackground") : undefined;
  if (!running) {
    item.text = "$(circle-slash) icpc";
    item.tooltip = "No language server is running: recipes are coloured but not checked.";
  } else if (names.length === 0) {
    item.text = "$(database) no checkpoint";
    item.tooltip = "No recipe of this file names a checkpoint, so they are checked by themselves.";
  } else {
    const more = names.length > 1 ? ` +${names.length - 1}` : "";
    item.text = `$(${wrong ? "warning" : "database"}) ${names[0]}${more}`;
    item.tooltip = named.map(tooltip).join("\n");
  }
  item.show();
}

/** `mixed: itera.pt · 85 tensors · 1.18 MB · itera_lite`, and what is wrong with it. */
function tooltip(one: CheckedAgainst): string {
  const facts = [one.path, describe(one), one.arch].filter((fact) => fact !== null && fact !== "");
  const reason = one.reason === null ? "" : ` (${one.state}: ${one.reason})`;
  return `${one.recipe}: ${facts.join(" · ")}${reason}`;
}
