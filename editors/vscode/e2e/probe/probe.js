// Test only: asks the providers of VS Code about $ICPC_E2E_PROJECT/broken.icp and writes the answers to $ICPC_E2E_ANSWERS.

const fs = require("node:fs");
const path = require("node:path");
const vscode = require("vscode");

const PATIENCE = 20_000;

exports.activate = async () => {
  const answers = {};
  try {
    await probe(answers);
  } catch (error) {
    answers.failure = String(error?.stack ?? error);
  }
  fs.writeFileSync(process.env.ICPC_E2E_ANSWERS, JSON.stringify(answers, null, 2));
};

async function until(what, condition) {
  const end = Date.now() + PATIENCE;
  while (Date.now() < end) {
    const found = await condition();
    if (found) {
      return found;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`waited in vain for ${what}`);
}

const plain = (value) => (typeof value === "string" ? value : (value?.value ?? ""));

async function lenses(uri) {
  const found = await vscode.commands.executeCommand("vscode.executeCodeLensProvider", uri, 10);
  return found.map((lens) => ({
    title: lens.command?.title,
    command: lens.command?.command,
    arguments: lens.command?.arguments,
  }));
}

async function probe(answers) {
  const uri = vscode.Uri.file(path.join(process.env.ICPC_E2E_PROJECT, "broken.icp"));
  const document = await vscode.workspace.openTextDocument(uri);
  // Diagnostics are pulled for documents with a tab.
  await vscode.window.showTextDocument(document, { preview: true });
  const ask = (name, ...rest) => vscode.commands.executeCommand(`vscode.execute${name}`, uri, ...rest);
  answers.language = document.languageId;

  const found = await until("diagnostics", () => {
    const all = vscode.languages.getDiagnostics(uri);
    return all.length > 0 && all;
  });
  answers.diagnostics = found.map((d) => ({
    line: d.range.start.line,
    text: document.getText(d.range),
    message: d.message,
    code: typeof d.code === "object" ? String(d.code.value) : String(d.code),
    link: typeof d.code === "object" ? d.code.target.toString() : undefined,
  }));

  const pattern = new vscode.Position(5, 10);
  const hovers = await ask("HoverProvider", pattern);
  answers.hover = hovers.flatMap((hover) => hover.contents.map(plain)).join("\n");

  const completion = await ask("CompletionItemProvider", new vscode.Position(5, 15));
  answers.completion = completion.items.map((item) => (typeof item.label === "string" ? item.label : item.label.label));

  const whole = new vscode.Range(0, 0, document.lineCount, 0);
  const hints = await ask("InlayHintProvider", whole);
  answers.hints = hints.map((hint) => ({
    line: hint.position.line,
    label: typeof hint.label === "string" ? hint.label : hint.label.map((part) => part.value).join(""),
  }));

  answers.lenses = await lenses(uri);
  const planned = vscode.Uri.file(path.join(process.env.ICPC_E2E_PROJECT, "mixed.icp"));
  await vscode.workspace.openTextDocument(planned);
  answers.plannedLenses = await until("lenses of a recipe with a plan", async () => {
    const found = await lenses(planned);
    return found.length > 1 && found;
  });

  const actions = await ask("CodeActionProvider", found[0].range, vscode.CodeActionKind.QuickFix.value);
  answers.actions = actions.map((action) => action.title);
  const edits = await ask("FormatDocumentProvider", { tabSize: 4, insertSpaces: true });
  answers.edits = edits?.length ?? 0;

  const definitions = await ask("DefinitionProvider", pattern);
  answers.definition = definitions.map((d) => (d.uri ?? d.targetUri).toString());
  const listing = definitions.map((d) => d.uri ?? d.targetUri).find((d) => d.scheme === "icpc-listing");
  if (listing) {
    answers.listing = (await vscode.workspace.openTextDocument(listing)).getText();
  }
  answers.tokens = (await vscode.commands.executeCommand("vscode.provideDocumentSemanticTokens", uri))?.data.length ?? 0;
  answers.symbols = (await ask("DocumentSymbolProvider"))?.map((symbol) => symbol.name) ?? [];
}
