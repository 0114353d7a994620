// Wires the parts together; each of them registers what it needs.

import * as vscode from "vscode";

import { Documents } from "./documents";
import { Plans } from "./plan";
import { registerRun } from "./run";
import { Server } from "./server";
import { registerStatus } from "./status";

let server: Server | undefined;

export async function activate(context: vscode.ExtensionContext): Promise<void> {
  const started = new Server(context);
  server = started;
  new Plans(context, started);
  new Documents(context, started);
  registerRun(context);
  registerStatus(context, started);
  context.subscriptions.push(vscode.commands.registerCommand("icpc.restart", () => started.restart()));
  await started.start();
}

export function deactivate(): Promise<void> | undefined {
  return server?.dispose();
}
