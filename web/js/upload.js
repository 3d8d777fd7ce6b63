// @ts-check
/**
 * Uploads a lesson's recording by tus, so that it survives cuts, reloads and restarts of the
 * server, and then shows how its preparation goes on. Without this script the form does the same
 * in one request.
 */

/** @typedef {{ file: File, url: string | null, start(): void, abort(terminate?: boolean): Promise<void>, findPreviousUploads(): Promise<unknown[]>, resumeFromPreviousUpload(previous: unknown): void }} TusUpload */
/** @typedef {{ originalResponse?: { getStatus(): number } | null } & Error} TusError */

/** Bytes of one request: small enough that a cut loses little, large enough for few round trips. */
const PART_BYTES = 1 << 20;
/** How long after the last try an upload tries again by itself. */
const AGAIN_AFTER_MS = 15000;
/** How often the preparation is asked for. */
const STATUS_EVERY_MS = 2000;

/** @type {{ Upload: new (file: File, options: object) => TusUpload }} */
const tus = /** @type {any} */ (window).tus;

for (const area of document.querySelectorAll("[data-upload]")) {
  if (area instanceof HTMLElement) mount(area);
}

/** @param {HTMLElement} area */
function mount(area) {
  const form = /** @type {HTMLFormElement} */ (area.querySelector("[data-upload-form]"));
  const input = /** @type {HTMLInputElement} */ (form.elements.namedItem("file"));
  const shown = /** @type {HTMLElement} */ (area.querySelector("[data-upload-progress]"));
  const bar = /** @type {HTMLProgressElement} */ (shown.querySelector("progress"));
  const line = /** @type {HTMLElement} */ (shown.querySelector("[data-upload-words]"));
  /** @param {string} name @returns {HTMLButtonElement} */
  const button = (name) =>
    /** @type {HTMLButtonElement} */ (shown.querySelector(`[data-upload-do=${name}]`));

  /** @param {string} key @param {Record<string, string | number>} [values] */
  const say = (key, values = {}) => {
    const template = /** @type {HTMLTemplateElement} */ (area.querySelector("[data-upload-text]"));
    const words = template.content.querySelector(`[data-key=${key}]`)?.textContent ?? key;
    line.textContent = words.replace(/\{(\w+)\}/g, (_, name) => String(values[name] ?? ""));
  };

  /** @param {boolean} paused */
  const showPaused = (paused) => {
    button("pause").hidden = paused;
    button("resume").hidden = !paused;
  };

  const state = area.querySelector("[data-media-state]")?.getAttribute("data-media-state");
  if (state === "queued" || state === "running") {
    shown.hidden = false;
    follow();
  }

  form.addEventListener("submit", (event) => {
    const file = input.files?.[0];
    if (!file || !tus) return;
    event.preventDefault();
    if (file.size > Number(area.dataset.max)) {
      shown.hidden = false;
      say("large");
      return;
    }
    begin(file);
  });

  /** @param {File} file */
  async function begin(file) {
    form.hidden = true;
    shown.hidden = false;
    showPaused(false);
    const started = performance.now();
    let first = -1;
    let again = 0;
    const upload = new tus.Upload(file, {
      endpoint: area.dataset.endpoint,
      chunkSize: PART_BYTES,
      // The client repeats the last entry's wait for as long as onShouldRetry agrees.
      retryDelays: [500, 1000, 2000, 4000, 8000, 15000],
      removeFingerprintOnSuccess: true,
      // By itself the client would go on with the same file's upload to another lesson.
      fingerprint: async (/** @type {File} */ { name, type, size, lastModified }) =>
        ["millet", area.dataset.lesson, name, type, size, lastModified].join("-"),
      metadata: {
        filename: file.name,
        filetype: file.type,
        lesson_id: area.dataset.lesson,
      },
      /** @param {TusError} error */
      onShouldRetry: (error) => {
        const status = error.originalResponse?.getStatus() ?? 0;
        say("waiting");
        return status === 0 || status === 409 || status === 423 || status === 429 || status >= 500;
      },
      /** @param {number} sent @param {number} total */
      onProgress: (sent, total) => {
        if (first < 0) first = sent;
        const seconds = Math.max(0.5, (performance.now() - started) / 1000);
        bar.value = Math.floor((sent / total) * 1000);
        say("percent", {
          percent: Math.floor((sent / total) * 100),
          mb: (sent / 1e6).toFixed(1),
          total: (total / 1e6).toFixed(1),
          rate: Math.round((sent - first) / seconds / 1000),
        });
      },
      onSuccess: () => {
        say("done");
        button("pause").hidden = true;
        button("cancel").hidden = true;
        follow();
      },
      /** @param {TusError} error */
      onError: (error) => {
        const status = error.originalResponse?.getStatus() ?? 0;
        if (status === 0 || status >= 500) {
          // The list of waits is used up, the link is still down: go on when it is back.
          say("waiting");
          again = setTimeout(() => upload.start(), AGAIN_AFTER_MS);
          return;
        }
        say(status === 413 ? "large" : "refused");
        form.hidden = false;
      },
    });
    button("pause").onclick = async () => {
      clearTimeout(again);
      await upload.abort();
      say("paused");
      showPaused(true);
    };
    button("resume").onclick = () => {
      showPaused(false);
      upload.start();
    };
    button("cancel").onclick = async () => {
      clearTimeout(again);
      await upload.abort(true);
      shown.hidden = true;
      form.hidden = false;
    };
    const [previous] = await upload.findPreviousUploads();
    if (previous) upload.resumeFromPreviousUpload(previous);
    upload.start();
  }

  /** Asks how the preparation goes until it ends, then shows the page anew. */
  async function follow() {
    try {
      const response = await fetch(area.dataset.status ?? "", { headers: { accept: "application/json" } });
      if (response.ok) {
        /** @type {{ state: string, permille: number }} */
        const { state, permille } = await response.json();
        if (state !== "queued" && state !== "running" && state !== "uploading") {
          location.reload();
          return;
        }
        bar.value = permille;
        say(state === "running" ? "running" : "queued", { percent: Math.floor(permille / 10) });
      }
    } catch {
      say("waiting");
    }
    setTimeout(follow, STATUS_EVERY_MS);
  }
}
