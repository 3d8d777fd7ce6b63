import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";
import { gzipSync } from "node:zlib";

const folder = new URL("../", import.meta.url);
const modules = readdirSync(folder).filter((name) => name.endsWith(".js"));
const source = (name) => readFileSync(new URL(name, folder), "utf8");
/** Bytes on the way, comments left out as `web/src/script.rs` does. */
const bytes = (name) =>
  gzipSync(source(name).replace(/^\s*(\/\/.*|\/\*[^]*?\*\/[ \t]*)$\n?/gm, ""), { level: 9 }).length;

/** Everything that a module asks for at once, the modules asked for included. */
function asked(name, found = new Set()) {
  if (found.has(name) || name.startsWith("../")) return found;
  found.add(name);
  for (const [, path] of source(name).matchAll(/^import [^"]*"\.\/([^"]+)"/gm)) asked(path, found);
  return found;
}

test("a learner's page of a class asks for 26 kB besides the player, and for nothing of the desk", () => {
  const learner = [...asked("class.js")];
  const sum = learner.reduce((total, name) => total + bytes(name), 0);
  assert.ok(learner.length > 10, learner.join());
  assert.ok(!learner.some((name) => /^(publish|microphone|check|lead)/.test(name)), learner.join());
  assert.ok(sum <= 26_000, `${sum} bytes in ${learner.length} modules`);
});

test("the entry names all that it needs, so that nothing waits for a second round trip", () => {
  const named = new Set([...source("class.js").matchAll(/"\.\/([a-z_]+\.js)"/g)].map(([, name]) => name));
  for (const name of asked("class.js")) assert.ok(name === "class.js" || named.has(name), name);
});

test("every module is served", () => {
  const served = readFileSync(new URL("../../../src/assets.rs", import.meta.url), "utf8");
  for (const name of modules) assert.ok(served.includes(`"live/${name}"`), name);
});

test("every word that a script says stands on the page", () => {
  const words = readFileSync(new URL("../../../templates/class_words.hbs", import.meta.url), "utf8");
  const known = new Set([...words.matchAll(/data-key="([^"]+)"/g)].map(([, key]) => key));
  for (const name of modules) {
    for (const [, key] of source(name).matchAll(/(?:words\.say|this\.say)\(\s*"([^"]+)"/g)) {
      assert.ok(known.has(key), `${name} says ${key}`);
    }
    // A key that is built from a word: some key must begin so.
    for (const [, begin] of source(name).matchAll(/(?:words\.say|this\.say)\(\s*`([a-z-]+)\$/g)) {
      assert.ok(
        [...known].some((key) => key.startsWith(begin)),
        `${name} says ${begin}…`,
      );
    }
  }
});
