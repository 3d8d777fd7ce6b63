import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";
import { gzipSync } from "node:zlib";

const folder = new URL("../", import.meta.url);
const source = (url) => readFileSync(url, "utf8");
const code = (url) => source(url).replace(/^\s*(\/\/.*|\/\*[^]*?\*\/[ \t]*)$\n?/gm, "");

/** Everything that a module asks for at once beside the player, itself included. */
function asked(url, found = new Map()) {
  if (found.has(url.href) || url.href.includes("/player/")) return found;
  found.set(url.href, gzipSync(code(url), { level: 9 }).length);
  for (const [, path] of code(url).matchAll(/^import [^"]*"(\.[^"]+)"/gm)) asked(new URL(path, url), found);
  return found;
}

const sum = (found) => [...found.values()].reduce((total, each) => total + each, 0);

test("chapters and captions cost 2 kB, and a recorded class 10 kB in all", () => {
  const places = sum(asked(new URL("chapters.js", folder)));
  assert.ok(places <= 2_000, `${places} bytes`);
  const all = asked(new URL("replay.js", folder));
  assert.ok(sum(all) <= 10_000, `${sum(all)} bytes in ${[...all.keys()].join(" ")}`);
});

test("the entry names all that it needs, so that nothing waits for a second round trip", () => {
  const entry = new URL("replay.js", folder);
  const named = new Set([...code(entry).matchAll(/"(\.[^"]+\.js)"/g)].map(([, path]) => new URL(path, entry).href));
  for (const href of asked(entry).keys()) assert.ok(href === entry.href || named.has(href), href);
});

test("every module is served", () => {
  const served = source(new URL("../../../src/assets.rs", import.meta.url));
  for (const name of readdirSync(folder).filter((each) => each.endsWith(".js")))
    assert.ok(served.includes(`"replay/${name}"`), name);
});
