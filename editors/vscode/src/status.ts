// Which checkpoint the open recipe is checked against.

import * as path from "node:path";
import * as vscode from "vscode";

import { type Checkpoint, checkpointRequest } from "./protocol";
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
    let checkpoint: Checkpoint | null | undefined;
    try {
      checkpoint = await server.running?.sendRequest(checkpointRequest, about(document.uri));
    } catch {
      // The text moved on while the server looked; the next change asks again.
      return;
    }
    if (mine === asked) {
      show(item, server.running !== undefined, checkpoint);
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

function show(item: vscode.StatusBarItem, running: boolean, checkpoint: Checkpoint | null | undefined): void {
  item.backgroundColor = undefined;
  if (!running) {
    item.text = "$(circle-slash) icpc";
    item.tooltip = "No language server is running: recipes are coloured but not checked.";
  } else if (!checkpoint) {
    item.text = "$(database) no checkpoint";
    item.tooltip = "This recipe names no checkpoint, so it is checked by itself.";
  } else {
    const name = path.basename(checkpoint.path);
    item.text = `$(database) ${name}${checkpoint.note === undefined ? "" : " $(warning)"}`;
    item.tooltip = [checkpoint.path, describe(checkpoint), checkpoint.note].filter(Boolean).join("\n");
    if (checkpoint.note !== undefined) {
      item.backgroundColor = new vscode.ThemeColor("statusBarItem.warningBackground");
    }
  }
  item.show();
}
