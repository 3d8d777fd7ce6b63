import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";

/** Just enough of a page: one part for each lesson, with what the script looks for in it. */
class Part {
  dataset = {};
  hidden = false;
  textContent = "";
  parts = new Map();
  content = { querySelector: () => null };
  elements = { namedItem: () => this.part("input") };

  part(name) {
    if (!this.parts.has(name)) this.parts.set(name, new Part());
    return this.parts.get(name);
  }

  querySelector(css) {
    return css === "[data-media-state]" ? null : this.part(css);
  }

  addEventListener(_, listener) {
    this.submit = () => listener({ preventDefault() {} });
  }

  press(name) {
    return this.part("[data-upload-progress]").part(`[data-upload-do=${name}]`).onclick();
  }
}

/** The vendor's client, that only writes down what is asked of it. */
class Upload {
  static all = [];
  starts = 0;
  ended = [];

  constructor(file, options) {
    Object.assign(this, { file, options });
    Upload.all.push(this);
  }

  start() {
    this.starts += 1;
  }

  async abort(terminate = false) {
    this.ended.push(terminate);
  }

  async findPreviousUploads() {
    return [];
  }
}

const lessons = ["one", "two"].map((lesson) =>
  Object.assign(new Part(), { dataset: { lesson, endpoint: "/uploads", max: "1000000" } }),
);
globalThis.HTMLElement = Part;
globalThis.window = { tus: { Upload } };
globalThis.document = { querySelectorAll: () => lessons };
await import("../upload.js");

const file = { name: "bees.mp4", type: "video/mp4", size: 1000, lastModified: 7 };

/** Sends a file to a lesson; returns its upload, once it has begun. */
async function send(lesson, sent = file) {
  const form = lesson.part("[data-upload-form]");
  form.part("input").files = [sent];
  form.submit();
  const upload = Upload.all.at(-1);
  while (upload.starts === 0) await Promise.resolve();
  return upload;
}

beforeEach(() => {
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout"] });
});

test("an upload is found again by the same file for the same lesson alone", async () => {
  const called = async (lesson, sent = file) => {
    const { options } = await send(lesson, sent);
    return options.fingerprint(sent, options);
  };
  const [one, two] = lessons;
  const first = await called(one);
  assert.equal(await called(one), first);
  assert.notEqual(await called(two), first);
  assert.notEqual(await called(one, { ...file, lastModified: 8 }), first);
});

test("when the link is lost it tries again by itself", async () => {
  const upload = await send(lessons[0]);
  upload.options.onError(new Error("no link"));
  mock.timers.tick(14_999);
  assert.equal(upload.starts, 1);
  mock.timers.tick(1);
  assert.equal(upload.starts, 2);
});

for (const [button, terminated] of [["pause", false], ["cancel", true]]) {
  test(`nothing starts again after ${button}`, async () => {
    const upload = await send(lessons[0]);
    upload.options.onError(new Error("no link"));
    await lessons[0].press(button);
    mock.timers.tick(60_000);
    assert.equal(upload.starts, 1);
    assert.deepEqual(upload.ended, [terminated]);
  });
}

test("after a pause it goes on once", async () => {
  const upload = await send(lessons[0]);
  upload.options.onError(new Error("no link"));
  await lessons[0].press("pause");
  lessons[0].press("resume");
  mock.timers.tick(60_000);
  assert.equal(upload.starts, 2);
});
