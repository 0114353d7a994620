// `icpc run` in a terminal, as a task: the program gets its arguments as they are, so no shell has to be quoted for.

import * as path from "node:path";
import * as vscode from "vscode";

import * as programs from "./programs";
import { target } from "./recipe";

export function registerRun(context: vscode.ExtensionContext): void {
  context.subscriptions.push(
    vscode.commands.registerCommand("icpc.run", (uri: unknown, recipe: unknown) => run(context, uri, recipe)),
  );
}

async function run(context: vscode.ExtensionContext, uri: unknown, recipe: unknown): Promise<void> {
  const of = target(uri, recipe);
  if (of === undefined || of.uri.scheme !== "file") {
    void vscode.window.showInformationMessage("icpc: save the recipe as a file (.icp) to run it.");
    return;
  }
  const located = programs.compiler(context);
  if ("missing" in located) {
    void vscode.window.showErrorMessage(`icpc: ${located.missing}`);
    return;
  }
  const document = vscode.workspace.textDocuments.find((d) => d.uri.toString() === of.uri.toString());
  if (document?.isDirty && !(await document.save())) {
    return;
  }
  const file = of.uri.fsPath;
  const args = ["run", ...(of.recipe === undefined ? [] : ["--recipe", of.recipe]), file];
  const folder = vscode.workspace.getWorkspaceFolder(of.uri);
  const task = new vscode.Task(
    { type: "icpc" },
    folder ?? vscode.TaskScope.Workspace,
    `run ${path.basename(file)}`,
    "icpc",
    new vscode.ProcessExecution(located.path, args, { cwd: path.dirname(file) }),
  );
  task.presentationOptions = { panel: vscode.TaskPanelKind.Dedicated, clear: true, focus: false };
  await vscode.tasks.executeTask(task);
}
