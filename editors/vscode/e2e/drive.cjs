// Opens VS Code in a headless browser and looks at what a person would see. Screenshots and answers go to the folder that
// is the first argument.

const assert = require("node:assert/strict");
const fs = require("node:fs");
const path = require("node:path");
const { chromium } = require("playwright-core");

const out = process.argv[2];
const PATIENCE = 30_000;

async function until(what, condition) {
  const end = Date.now() + PATIENCE;
  while (Date.now() < end) {
    const found = await condition();
    if (found) {
      return found;
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`waited in vain for ${what}`);
}

/** The address that the server writes to its log. */
const address = () =>
  until("the server", () => fs.readFileSync(path.join(out, "server.log"), "utf8").match(/http:\/\/127\.0\.0\.1:\d+/)?.[0]);

async function main() {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--force-color-profile=srgb"],
  });
  const page = await browser.newPage({ viewport: { width: 1440, height: 860 } });
  page.setDefaultTimeout(PATIENCE);
  try {
    await page.goto(await address());
    await page.waitForSelector(".monaco-workbench");
    await page.waitForSelector(".statusbar-item");
    await until("the extension host's answers", () => fs.existsSync(process.env.ICPC_E2E_ANSWERS));
    await look(page);
  } catch (error) {
    await page.screenshot({ path: path.join(out, "failure.png") });
    throw error;
  } finally {
    await browser.close();
  }
  answers();
  console.log(`all is as it should be; look at ${out}`);
}

const shot = (page, name) => page.screenshot({ path: path.join(out, `${name}.png`) });
const text = async (page, selector) => (await page.locator(selector).allInnerTexts()).join("\n").replaceAll("\u00a0", " ");

async function command(page, name) {
  await page.keyboard.press("F1");
  await page.waitForSelector(".quick-input-widget input:visible");
  await page.keyboard.type(name);
  await page.waitForSelector(`.quick-input-list .monaco-list-row.focused:has-text("${name}")`);
  await page.keyboard.press("Enter");
  await page.waitForSelector(".quick-input-widget", { state: "hidden" });
}

async function open(page, file) {
  await page.keyboard.press("Control+p");
  await page.waitForSelector(".quick-input-widget input:visible");
  await page.keyboard.type(file);
  // The list of recent files comes first; Enter counts once the file is chosen.
  await page.waitForSelector(`.quick-input-list .monaco-list-row.focused:has-text("${file}")`);
  await page.keyboard.press("Enter");
  await page.waitForSelector(`.tab.active:has-text("${file}")`);
  await page.waitForSelector(".editor-group-container.active .view-line");
}

async function look(page) {
  await command(page, "View: Close All Editors");
  await command(page, "View: Toggle Primary Side Bar Visibility");

  // A recipe without mistakes: hints, a lens, the checkpoint in the status bar.
  await open(page, "mixed.icp");
  await page.waitForSelector(".codelens-decoration a");
  await until("inlay hints", async () => /→ \d+ tensors/.test(await text(page, ".view-line")));
  await until("the status bar", async () => (await text(page, ".statusbar")).includes("itera_quickstart.pt"));
  assert.equal(await page.locator(".squiggly-error").count(), 0, "no error in a recipe that has none");
  await shot(page, "recipe");

  // What a pattern matches.
  await page.locator(".view-line", { hasText: "layers.*.moe" }).locator("span", { hasText: "layers" }).last().hover();
  await until("the hover", async () => /w1\.weight/.test(await text(page, ".monaco-hover")));
  // It fades in.
  await page.waitForTimeout(400);
  await shot(page, "hover");
  await page.mouse.move(700, 840);

  // The plan beside it, which follows the text.
  await command(page, "icpc: Show Plan");
  await page.waitForSelector(".tab:has-text('(plan)')");
  const plan = () => text(page, ".editor-group-container:has(.tab:has-text('(plan)')) .view-line");
  await until("the plan", async () => (await plan()).startsWith("plan `mixed`"));
  await shot(page, "plan");
  const before = (await plan()).split("\n")[0];
  const recipe = page.locator(".editor-group-container:has(.tab:has-text('mixed.icp')):not(:has(.tab:has-text('(plan)')))");
  await recipe.locator(".view-line", { hasText: /^\s*_/ }).click();
  await page.keyboard.press("End");
  await page.keyboard.press("ArrowLeft");
  await page.keyboard.press("Control+Backspace");
  await page.keyboard.type("fp32");
  await until("the plan to follow", async () => {
    const now = (await plan()).split("\n")[0];
    return now.startsWith("plan") && now !== before;
  });
  await command(page, "File: Revert File");
  await until("the plan to follow back", async () => (await plan()).split("\n")[0] === before);

  // A mistake: red at once, its hint and the lens say so, the plan says why there is none. The picture of the README.
  await page.keyboard.press("Control+g");
  await page.keyboard.type("11:19");
  await page.keyboard.press("Enter");
  await page.keyboard.press("Control+Shift+ArrowRight");
  await page.keyboard.type("weigth");
  await page.waitForSelector(".squiggly-error");
  // The list of completions would hide the arms below.
  await page.waitForTimeout(600);
  await page.keyboard.press("Escape");
  await until("the plan to say why", async () => (await plan()).startsWith("no plan"));
  await until("the lens to say why", async () => (await text(page, ".codelens-decoration")).includes("no plan"));
  await page.waitForTimeout(400);
  await shot(page, "readme");
  await command(page, "File: Revert File");

  // Mistakes where they are made.
  await open(page, "mistakes.icp");
  await until("errors", async () => (await page.locator(".squiggly-error").count()) >= 4);
  await until("the lens", async () => (await text(page, ".codelens-decoration")).includes("no plan: 4 errors"));
  await shot(page, "mistakes");
  await command(page, "Problems: Focus on Problems View");
  await page.waitForSelector(".markers-panel .monaco-list-row");
  await shot(page, "problems");
  await command(page, "View: Close Panel").catch(() => page.keyboard.press("Control+j"));

  // Segments of names, with what they match.
  await open(page, "mixed.icp");
  await page.keyboard.press("Control+g");
  await page.keyboard.type("16:9");
  await page.keyboard.press("Enter");
  await page.keyboard.type("layers.*.");
  await page.waitForSelector(".suggest-widget.visible .monaco-list-row:has-text('moe')");
  await until("what they match", async () => /48 tensors/.test(await text(page, ".suggest-widget")));
  await page.waitForTimeout(400);
  await shot(page, "completion");
  await page.keyboard.press("Escape");
  await command(page, "File: Revert File");

  // The fixes of a mistake.
  await open(page, "mistakes.icp");
  await page.keyboard.press("Control+g");
  await page.keyboard.type("11:10");
  await page.keyboard.press("Enter");
  await page.keyboard.press("Control+.");
  await page.waitForSelector(".action-widget .monaco-list-row");
  await page.waitForTimeout(400);
  await shot(page, "fixes");
  await page.keyboard.press("Escape");

  // The listing of the checkpoint, and a run in the terminal.
  await open(page, "mixed.icp");
  await command(page, "icpc: Show Checkpoint Listing");
  await page.waitForSelector(".tab.active:has-text('.listing')");
  await until("the listing", async () => (await text(page, ".editor-group-container.active .view-line")).includes("f32"));
  await shot(page, "listing");
  await command(page, "View: Focus Left Editor Group");
  await open(page, "mixed.icp");
  await command(page, "icpc: Run Recipe");
  await page.waitForSelector(".terminal-wrapper");
  const report = path.join(process.env.ICPC_E2E_PROJECT, "out/quickstart/report.md");
  await until("the run to end", () => fs.existsSync(report));
  await shot(page, "run");
}

/** What the extension host was told. */
function answers() {
  const found = JSON.parse(fs.readFileSync(process.env.ICPC_E2E_ANSWERS, "utf8"));
  assert.equal(found.failure, undefined);
  assert.equal(found.language, "icp");
  assert.equal(found.diagnostics.length, 1);
  assert.equal(found.diagnostics[0].line, 4);
  assert.match(found.diagnostics[0].message, /matches no tensor/);
  assert.match(found.hover, /\[64, 64\]/);
  assert.ok(found.completion.includes("*"), `completion: ${found.completion}`);
  assert.ok(found.hints.some((hint) => /→/.test(hint.label)), "inlay hints");
  // What has no plan cannot run, and its one lens says why.
  assert.deepEqual(found.lenses.map((lens) => [lens.title, lens.command]), [["no plan: 1 error", "icpc.plan"]]);
  assert.deepEqual(found.plannedLenses.map((lens) => lens.command), ["icpc.plan", "icpc.plan", "icpc.run"]);
  assert.match(found.plannedLenses[0].title, /^[\d.]+ MB \([\d.]+x\)$/);
  assert.ok(found.actions.length > 0, "a fix");
  assert.ok(found.edits > 0, "formatting");
  assert.match(found.listing ?? "", /layers\.0\.attn\.weight/);
  assert.ok(found.tokens > 0, "semantic tokens");
  assert.deepEqual(found.symbols.sort(), ["small", "tiny"]);
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
