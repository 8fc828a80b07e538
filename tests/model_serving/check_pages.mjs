// Look at pages with Debian's Chromium: axe's rules, console errors, overflow, and pictures where a folder is given.
// node check_pages.mjs MODULES ADDRESS [--pictures FOLDER] PATH...    prints one JSON array of findings
import { createRequire } from "node:module";
import { mkdirSync } from "node:fs";
import { join } from "node:path";

const [modules, address, ...rest] = process.argv.slice(2);
const folder = rest[0] === "--pictures" ? rest.splice(0, 2)[1] : null;
const require = createRequire(join(modules, "node_modules", "/"));
const { chromium } = require("playwright-core");
const axe = require("axe-core").source;
const SIZES = { wide: { width: 1200, height: 1100 }, phone: { width: 360, height: 780 } };
const GRAVE = ["serious", "critical"];

const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] });
const findings = [];
for (const colorScheme of ["light", "dark"]) for (const [size, viewport] of Object.entries(SIZES)) {
  const context = await browser.newContext({ viewport, colorScheme });
  const page = await context.newPage();
  const note = (path, rule, text) => findings.push({ path, colorScheme, size, rule, text });
  for (const [number, path] of rest.entries()) {
    const listener = (message) => message.type() === "error" && note(path, "console", message.text());
    page.on("console", listener);
    await page.goto(address + path);
    await page.evaluate(axe);
    const { violations } = await page.evaluate(() => window.axe.run());
    for (const { id, impact, nodes } of violations)
      if (GRAVE.includes(impact)) note(path, id, nodes.map((node) => node.html.slice(0, 200)).join(" | "));
    if (await page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth))
      note(path, "overflow", "the page scrolls sideways");
    page.off("console", listener);
    if (folder) {
      mkdirSync(folder, { recursive: true });
      await page.screenshot({ path: join(folder, `${number}-${size}-${colorScheme}.png`) });
    }
  }
  await context.close();
}
await browser.close();
console.log(JSON.stringify(findings));
