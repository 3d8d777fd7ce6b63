import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";
import { gzipSync } from "node:zlib";

const folder = new URL("../", import.meta.url);

/** What is sent: as `web/src/script.rs` leaves it. */
function sent(source) {
  let inside = false;
  const kept = source.split("\n").flatMap((line) => {
    const text = line.trim();
    if (!inside && !text.startsWith("/*")) return text === "" || text.startsWith("//") ? [] : [line];
    const end = text.indexOf("*/");
    inside = end < 0;
    const rest = inside ? "" : text.slice(end + 2).trim();
    return rest === "" ? [] : [rest];
  });
  return `${kept.join("\n")}\n`;
}

test("the player fits into 17 kB, two seconds of a 64 kbit/s link", () => {
  const modules = readdirSync(folder).filter((name) => name.endsWith(".js"));
  const bytes = modules.map((name) => {
    const code = sent(readFileSync(new URL(name, folder), "utf8"));
    return gzipSync(code, { level: 9 }).length;
  });
  const sum = bytes.reduce((total, each) => total + each, 0);
  assert.ok(modules.length > 5);
  assert.ok(sum <= 17_000, `${sum} bytes in ${modules.length} modules`);
});

test("every module of the player is served", () => {
  const served = readFileSync(new URL("../../../src/assets.rs", import.meta.url), "utf8");
  for (const name of readdirSync(folder).filter((each) => each.endsWith(".js"))) {
    assert.ok(served.includes(`"player/${name}"`), name);
  }
});
