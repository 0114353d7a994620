// The listing of a checkpoint: a read-only document, where definitions of tensors lead.

import * as vscode from "vscode";

import { listingRequest } from "./protocol";
import { target } from "./recipe";
import type { Server } from "./server";

export const LISTING_SCHEME = "icpc-listing";

export class Listings implements vscode.TextDocumentContentProvider {
  private readonly changes = new vscode.EventEmitter<vscode.Uri>();
  readonly onDidChange = this.changes.event;

  constructor(
    context: vscode.ExtensionContext,
    private readonly server: Server,
  ) {
    context.subscriptions.push(
      this.changes,
      vscode.workspace.registerTextDocumentContentProvider(LISTING_SCHEME, this),
      // A definition opens one without the command below.
      vscode.workspace.onDidOpenTextDocument((document) => {
        if (document.uri.scheme === LISTING_SCHEME && document.languageId !== "icpc-listing") {
          void vscode.languages.setTextDocumentLanguage(document, "icpc-listing");
        }
      }),
      vscode.commands.registerCommand("icpc.showListing", (uri: unknown) => this.open(uri)),
      server.onChange(() => {
        for (const document of vscode.workspace.textDocuments) {
          if (document.uri.scheme === LISTING_SCHEME) {
            this.changes.fire(document.uri);
          }
        }
      }),
    );
  }

  async provideTextDocumentContent(uri: vscode.Uri): Promise<string> {
    const listing = await this.server.running?.sendRequest(listingRequest, { uri: uri.toString() });
    return listing?.text ?? "";
  }

  private async open(uri: unknown): Promise<void> {
    const of = target(uri, undefined);
    const listing =
      of && (await this.server.running?.sendRequest(listingRequest, { uri: of.uri.toString() }));
    if (!listing) {
      void vscode.window.showInformationMessage(
        of === undefined
          ? "icpc: open a recipe (.icp) to see its checkpoint."
          : "icpc: this recipe names no checkpoint that can be read.",
      );
      return;
    }
    const document = await vscode.workspace.openTextDocument(vscode.Uri.parse(listing.uri, true));
    await vscode.window.showTextDocument(document, { viewColumn: vscode.ViewColumn.Beside, preview: true });
  }
}
