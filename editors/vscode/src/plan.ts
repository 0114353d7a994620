// The plan beside its recipe: a read-only document that follows the text.

import * as vscode from "vscode";

import { planRequest } from "./protocol";
import { type Target, target } from "./recipe";
import { type Server, about } from "./server";

export const PLAN_SCHEME = "icpc-plan";

/** Milliseconds without a change before the plan is asked for again. */
const QUIET = 120;

interface Shown {
  page: vscode.Uri;
  target: Target;
  /** The last plan there was. */
  plan: string;
  text: string;
  /** Its tab is there, or was. */
  opened: boolean;
  timer?: NodeJS.Timeout;
  /** Counts the requests, so that a late answer does not replace a newer one. */
  asked: number;
}

export class Plans implements vscode.TextDocumentContentProvider {
  private readonly shown = new Map<string, Shown>();
  private readonly changes = new vscode.EventEmitter<vscode.Uri>();
  readonly onDidChange = this.changes.event;

  constructor(
    context: vscode.ExtensionContext,
    private readonly server: Server,
  ) {
    context.subscriptions.push(
      this.changes,
      vscode.workspace.registerTextDocumentContentProvider(PLAN_SCHEME, this),
      vscode.commands.registerCommand("icpc.plan", (uri: unknown, recipe: unknown) => this.open(uri, recipe)),
      // Any recipe may be imported by the one that is shown.
      vscode.workspace.onDidChangeTextDocument((event) => {
        if (event.document.languageId === "icp") {
          this.refreshSoon();
        }
      }),
      // A document that gets its language is closed and opened again, so what is open now counts.
      vscode.window.tabGroups.onDidChangeTabs(() => this.forget()),
      server.onChange(() => this.refreshSoon()),
    );
  }

  provideTextDocumentContent(uri: vscode.Uri): string {
    return this.shown.get(uri.toString())?.text ?? "";
  }

  private async open(uri: unknown, recipe: unknown): Promise<void> {
    const of = target(uri, recipe);
    if (of === undefined) {
      void vscode.window.showInformationMessage("icpc: open a recipe (.icp) to see its plan.");
      return;
    }
    const page = planUri(of);
    const key = page.toString();
    const shown = this.shown.get(key) ?? { page, target: of, plan: "", text: "", opened: false, asked: 0 };
    this.shown.set(key, shown);
    await this.refresh(shown);
    const document = await vscode.workspace.openTextDocument(page);
    await vscode.languages.setTextDocumentLanguage(document, "icpc-plan");
    await vscode.window.showTextDocument(document, {
      viewColumn: vscode.ViewColumn.Beside,
      preserveFocus: true,
      preview: true,
    });
    shown.opened = true;
  }

  /** Drops the plans whose pages were closed. */
  private forget(): void {
    const open = new Set<string>();
    for (const tab of vscode.window.tabGroups.all.flatMap((group) => group.tabs)) {
      if (tab.input instanceof vscode.TabInputText) {
        open.add(tab.input.uri.toString());
      }
    }
    for (const [key, shown] of this.shown) {
      if (shown.opened && !open.has(key)) {
        clearTimeout(shown.timer);
        this.shown.delete(key);
      }
    }
  }

  private refreshSoon(): void {
    for (const shown of this.shown.values()) {
      clearTimeout(shown.timer);
      shown.timer = setTimeout(() => void this.refresh(shown), QUIET);
    }
  }

  private async refresh(shown: Shown): Promise<void> {
    const asked = ++shown.asked;
    const text = await this.text(shown);
    if (shown.asked === asked && text !== shown.text) {
      shown.text = text;
      this.changes.fire(shown.page);
    }
  }

  private async text(shown: Shown): Promise<string> {
    const client = this.server.running;
    if (client === undefined) {
      return "no language server is running\n";
    }
    try {
      const plan = await client.sendRequest(planRequest, about(shown.target.uri, shown.target.recipe));
      if (plan.text !== null) {
        shown.plan = plan.text;
        return plan.text;
      }
      const why = ["no plan", ...plan.reasons.map((reason) => `  ${reason}`), ""].join("\n");
      return shown.plan === "" ? why : `${why}\nthe last one was\n\n${shown.plan}`;
    } catch (error) {
      // The text moved on while the server computed: the next change asks again.
      return shown.text === "" ? `${String(error)}\n` : shown.text;
    }
  }
}

/** `icpc-plan:/path/recipe.icp (plan)`: one page for each recipe. */
function planUri(of: Target): vscode.Uri {
  const recipe = of.recipe === undefined ? "" : ` ${of.recipe}`;
  return vscode.Uri.from({ scheme: PLAN_SCHEME, path: `${of.uri.path}${recipe} (plan)` });
}
