// The connection with the language server: started, restarted, absent.

import * as vscode from "vscode";
import {
  LanguageClient,
  type LanguageClientOptions,
  RevealOutputChannelOn,
  type ServerOptions,
  State,
  TransportKind,
} from "vscode-languageclient/node";

import { INITIALIZATION, type OfRecipe, filesChanged, focus } from "./protocol";
import * as programs from "./programs";

export class Server implements vscode.Disposable {
  private client: LanguageClient | undefined;
  /** The last start or restart; the next one waits for it. */
  private turn: Promise<void> = Promise.resolve();
  private readonly output = vscode.window.createOutputChannel("icpc");
  private readonly changes = new vscode.EventEmitter<void>();
  /** Fires when answers may differ: the server started or stopped, or it read files anew. */
  readonly onChange = this.changes.event;

  constructor(private readonly context: vscode.ExtensionContext) {
    context.subscriptions.push(
      this.output,
      this.changes,
      vscode.window.onDidChangeWindowState((state) => {
        if (state.focused) {
          void this.running?.sendNotification(focus);
        }
      }),
      vscode.workspace.onDidChangeConfiguration((event) => {
        if (event.affectsConfiguration("icpc.server.path")) {
          void this.restart();
        }
      }),
    );
  }

  /** The client, while it talks to a server. */
  get running(): LanguageClient | undefined {
    return this.client?.state === State.Running ? this.client : undefined;
  }

  start(): Promise<void> {
    this.turn = this.turn.then(() => this.connect());
    return this.turn;
  }

  restart(): Promise<void> {
    this.turn = this.turn.then(() => this.disconnect()).then(() => this.connect());
    return this.turn;
  }

  private async connect(): Promise<void> {
    const located = programs.server(this.context);
    if ("missing" in located) {
      this.output.appendLine(located.missing);
      void this.explain(located.missing);
      return;
    }
    this.output.appendLine(`server: ${located.path}`);
    const options: ServerOptions = { command: located.path, transport: TransportKind.stdio };
    const client = new LanguageClient("icpc", "icpc", options, this.clientOptions());
    this.client = client;
    client.onDidChangeState(() => this.changes.fire());
    client.onNotification(filesChanged, () => this.changes.fire());
    try {
      await client.start();
    } catch (error) {
      // The client shows what it knows itself; a second message would say the same.
      this.output.appendLine(`${located.path} did not start: ${String(error)}`);
    }
  }

  private async disconnect(): Promise<void> {
    const old = this.client;
    this.client = undefined;
    try {
      await old?.dispose();
    } catch (error) {
      // A server that crashed does not answer `shutdown`.
      this.output.appendLine(`the old server did not stop: ${String(error)}`);
    }
  }

  dispose(): Promise<void> | undefined {
    return this.client?.dispose();
  }

  private clientOptions(): LanguageClientOptions {
    return {
      documentSelector: [
        { language: "icp", scheme: "file" },
        { language: "icp", scheme: "untitled" },
      ],
      initializationOptions: INITIALIZATION,
      outputChannel: this.output,
      // What goes wrong in a recipe is a diagnostic; the channel is for what goes wrong in the server.
      revealOutputChannelOn: RevealOutputChannelOn.Never,
    };
  }

  private async explain(message: string): Promise<void> {
    const settings = "Open Settings";
    const chosen = await vscode.window.showWarningMessage(
      `icpc: no language server, so recipes are coloured but not checked. ${message}`,
      settings,
    );
    if (chosen === settings) {
      await vscode.commands.executeCommand("workbench.action.openSettings", "icpc.server.path");
    }
  }
}

/** What requests about a recipe name. */
export function about(uri: vscode.Uri, recipe?: string): OfRecipe {
  return { uri: uri.toString(), ...(recipe === undefined ? {} : { recipe }) };
}
