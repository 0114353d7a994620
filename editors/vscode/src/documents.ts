// Read-only documents of the server, where definitions lead: listings of checkpoints, files of the library.

import * as vscode from "vscode";

import { checkpointRequest, listingRequest, sourceRequest } from "./protocol";
import { target } from "./recipe";
import { type Server, about } from "./server";

/** Scheme of listings, as the server writes it. */
const LISTING = "icpc-listing";
/** Scheme of the library. */
const LIBRARY = "icpc-std";

export class Documents implements vscode.TextDocumentContentProvider {
  private readonly changes = new vscode.EventEmitter<vscode.Uri>();
  readonly onDidChange = this.changes.event;

  constructor(
    context: vscode.ExtensionContext,
    private readonly server: Server,
  ) {
    context.subscriptions.push(
      this.changes,
      vscode.workspace.registerTextDocumentContentProvider(LISTING, this),
      vscode.workspace.registerTextDocumentContentProvider(LIBRARY, this),
      // A definition opens one without the command below.
      vscode.workspace.onDidOpenTextDocument((document) => {
        if (document.uri.scheme === LISTING && document.languageId !== "icpc-listing") {
          void vscode.languages.setTextDocumentLanguage(document, "icpc-listing");
        }
      }),
      vscode.commands.registerCommand("icpc.showListing", (uri: unknown) => this.showListing(uri)),
      server.onChange(() => {
        for (const document of vscode.workspace.textDocuments) {
          if (document.uri.scheme === LISTING || document.uri.scheme === LIBRARY) {
            this.changes.fire(document.uri);
          }
        }
      }),
    );
  }

  async provideTextDocumentContent(uri: vscode.Uri): Promise<string> {
    const listing = uri.scheme === LISTING;
    const request = listing ? listingRequest : sourceRequest;
    const comment = listing ? "#" : "//";
    try {
      const found = await this.server.running?.sendRequest(request, { uri: uri.toString() });
      return found?.text ?? `${comment} no language server is running\n`;
    } catch (error) {
      // The checkpoint went away, or no open recipe names it any more.
      return `${comment} ${error instanceof Error ? error.message : String(error)}\n`;
    }
  }

  private async showListing(uri: unknown): Promise<void> {
    const of = target(uri, undefined);
    if (of === undefined) {
      void vscode.window.showInformationMessage("icpc: open a recipe (.icp) to see its checkpoint.");
      return;
    }
    const all = (await this.server.running?.sendRequest(checkpointRequest, about(of.uri))) ?? [];
    const found = all.find((one) => one.listing !== null);
    if (!found?.listing) {
      const why = all.find((one) => one.reason !== null)?.reason ?? "this recipe names no checkpoint";
      void vscode.window.showInformationMessage(`icpc: ${why}`);
      return;
    }
    const document = await vscode.workspace.openTextDocument(vscode.Uri.parse(found.listing, true));
    await vscode.window.showTextDocument(document, { viewColumn: vscode.ViewColumn.Beside, preview: true });
  }
}
