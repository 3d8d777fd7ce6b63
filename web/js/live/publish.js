// @ts-check
/** The desk of whoever teaches: choose a source, check, send, and see what becomes of it. */

import { checkLink, verdict } from "./check.js";
import { button, onClick, place, show, write } from "./dom.js";
import { RecorderMaker } from "./publish_recorder.js";
import { FrameMaker } from "./publish_frames.js";
import { PublishLink } from "./publish_link.js";
import { Source } from "./publish_source.js";
import { canEncodeVoice, container } from "./publish_codec.js";

/** @typedef {import("./publish_wire.js").Wish} Wish */
/** @typedef {FrameMaker | RecorderMaker} Maker */

const LEVEL_EVERY_MS = 100;
/** Behind by more than this, the teacher should know. */
const LATE_MS = 6000;
/** Nothing acknowledged for longer than this: the uplink is slow. */
const SLOW_MS = 2500;

export class Desk {
  /**
   * @param {HTMLElement} root
   * @param {string} url empty before the class: then it only checks
   * @param {string} probe
   * @param {Pick<import("./types.js").Context, "words" | "tell">} context
   */
  constructor(root, url, probe, context) {
    this.root = root;
    this.probe = probe;
    this.words = context.words;
    this.tell = context.tell;
    /** @type {Wish} */
    this.wish = { kind: "camera", camera: "", microphone: "", uplinkKbit: 0 };
    this.source = new Source(root, (track) => this.trackEnded(track));
    /** @type {Maker | null} */
    this.maker = null;
    this.muted = false;
    this.hidden = false;
    /** @type {WakeLockSentinel | null} */
    this.lock = null;
    this.recorder = false;
    this.recordedMs = 0;
    this.zeroMs = 0;
    this.linkState = "";
    /** @type {Promise<import("./voices.js").Voices> | null} */
    this.voices = null;
    this.link = new PublishLink(url, {
      run: () => this.maker?.run() ?? { id: "", kind: "frames", container: null },
      welcomed: (timelineMs) => this.welcomed(timelineMs),
      wantKey: () => this.maker?.wantKey(),
      recorded: (recordedMs) => this.recorded(recordedMs),
      report: (report) => this.report(report),
      state: (state) => this.linked(state),
      problem: (code) => this.problem(code),
      voice: (speaker, data) => void this.voice(speaker, data),
    });
    this.mount();
  }

  mount() {
    const { root } = this;
    for (const each of /** @type {NodeListOf<HTMLInputElement>} */ (
      root.querySelectorAll("input[name=source]")
    )) {
      each.addEventListener("change", () => void this.choose(/** @type {Wish["kind"]} */ (each.value)));
    }
    this.source.onChoice((name, device) => {
      this.wish[name] = device;
      void this.reopen();
    });
    onClick(root, "check", () => void this.check());
    onClick(root, "send", () => void this.send(false));
    onClick(root, "send-stop", () => this.stop());
    onClick(root, "send-mute", () => this.mute());
    onClick(root, "send-hide", () => this.hide());
    onClick(root, "take-over", () => {
      this.dialog(false);
      void this.send(true);
    });
    onClick(root, "take-not", () => this.dialog(false));
    document.addEventListener("visibilitychange", () => void this.stayAwake());
    addEventListener("pagehide", () => this.link.stop());
    setInterval(() => this.meter(), LEVEL_EVERY_MS);
    if (!navigator.mediaDevices) this.say("send-insecure");
    this.draw();
  }

  /** @param {Wish["kind"]} kind */
  async choose(kind) {
    const before = this.wish.kind;
    this.wish.kind = kind;
    if (this.sending()) {
      // Whoever closes the browser's own window goes on with what there was.
      if (!(await this.reopen())) this.wish.kind = before;
    } else if (kind === "screen") {
      // That window opens with the start, not with a change of mind.
      this.close();
    } else if (this.source.stream) {
      await this.reopen();
    }
    for (const each of /** @type {NodeListOf<HTMLInputElement>} */ (
      this.root.querySelectorAll("input[name=source]")
    )) {
      each.checked = each.value === this.wish.kind;
    }
    show(place(this.root, "camera-choice"), this.wish.kind === "camera");
    this.draw();
  }

  /** @param {string} key @param {Record<string, string | number>} [values] */
  say(key, values) {
    write(place(this.root, "send-status"), key && this.words.say(key, values));
  }

  sending() {
    return this.link.wanted;
  }

  /** Opens camera and microphone anew; while sending, what is sent too. */
  async reopen() {
    const sending = this.sending();
    if (!(await this.open())) return false;
    if (sending) await this.make();
    return true;
  }

  async open() {
    const refused = await this.source.open(this.wish);
    if (refused) {
      this.say(`send-${refused.key}`, { reason: refused.reason });
      return false;
    }
    // What the maker before made its media from is released.
    this.maker?.stop();
    this.maker = null;
    this.say("");
    return true;
  }

  /**
   * The browser's own "stop sharing" ends the picture, and the page should know.
   * @param {MediaStreamTrack} track
   */
  trackEnded(track) {
    this.stop();
    this.say(track.kind === "video" ? "send-picture-ended" : "send-sound-ended");
  }

  /** Picture, level, round trip and uplink, before anybody watches. */
  async check() {
    this.devices(true);
    this.say("check-runs");
    const [opened, link] = await Promise.all([
      this.source.stream ? true : this.open(),
      checkLink(this.probe),
    ]);
    if (opened && !this.maker) await this.source.listen();
    const shown = place(this.root, "check-link");
    if (link) {
      this.wish.uplinkKbit = link.kbit;
      const values = { ms: Math.round(link.roundTripMs), kbit: link.kbit };
      write(
        shown,
        `${this.words.say("check-link", values)} ${this.words.say(`check-${verdict(link.kbit)}`)}`,
      );
    } else {
      write(shown, this.words.say("check-unknown"));
    }
    if (opened) this.say("check-done");
    this.draw();
  }

  /** @param {boolean} open the choice of camera and microphone */
  devices(open) {
    place(this.root, "check")?.toggleAttribute("open", open);
  }

  /** @param {boolean} take */
  async send(take) {
    if (this.sending()) return;
    if (!this.source.stream && !(await this.open())) return;
    if (!(await this.make())) return;
    this.link.start(take);
    this.devices(false);
    void this.stayAwake();
    this.draw();
  }

  /** Whatever this browser can: frames of its own, else a recorder. */
  async make() {
    const { wish } = this;
    const { stream } = this.source;
    if (!stream) return false;
    this.source.deafen();
    this.maker?.stop();
    const fault = (/** @type {unknown} */ error) => this.fault(error);
    const pictures = stream.getVideoTracks().length > 0;
    const sound = stream.getAudioTracks().length > 0;
    const mime = container(!pictures);
    const frames =
      !this.recorder && (!pictures || "VideoEncoder" in globalThis) && (!sound || (await canEncodeVoice()));
    if (frames) this.maker = new FrameMaker(stream, wish, this.link, fault);
    else if (mime) this.maker = new RecorderMaker(stream, wish, mime, this.link, fault);
    else {
      this.say("send-cannot");
      return false;
    }
    await this.maker.start();
    this.maker.mute(this.muted);
    this.maker.hide(this.hidden);
    // Another maker is another run: the server begins anew with it.
    if (this.sending()) this.link.drop();
    return true;
  }

  /** @param {unknown} error an encoder gave up */
  fault(error) {
    console.error(error);
    if (this.recorder || !this.source.stream) {
      this.stop();
      this.say("send-failed", { reason: String(error) });
      return;
    }
    // The other way still works on such devices.
    this.recorder = true;
    void this.make();
  }

  stop() {
    this.link.stop();
    this.close();
    this.linkState = "";
    this.say("send-stopped");
    void this.lock?.release();
    this.lock = null;
    this.draw();
  }

  close() {
    this.maker?.stop();
    this.maker = null;
    this.source.close();
  }

  mute() {
    this.muted = !this.muted;
    this.maker?.mute(this.muted);
    this.draw();
  }

  hide() {
    this.hidden = !this.hidden;
    this.maker?.hide(this.hidden);
    this.draw();
  }

  /** @param {number} timelineMs */
  welcomed(timelineMs) {
    this.zeroMs = performance.now() - timelineMs;
    this.recordedMs = timelineMs;
    this.maker?.opened(timelineMs);
  }

  /** @param {number} recordedMs */
  recorded(recordedMs) {
    this.recordedMs = recordedMs;
    // What waits on this side is late too, before the server can know.
    const waitsMs = this.link.uplink().ageMs;
    const lateMs = Math.max(performance.now() - this.zeroMs - recordedMs, waitsMs);
    const late = lateMs > LATE_MS || waitsMs > SLOW_MS;
    this.say(late ? "send-late" : "send-fine", { seconds: Math.round(lateMs / 1000) });
  }

  /** @param {import("./publish_wire.js").Report} report */
  report({ lag_ms, dropped_rungs }) {
    const words = [];
    if (lag_ms > LATE_MS)
      words.push(this.words.say("send-server-late", { seconds: Math.round(lag_ms / 1000) }));
    if (dropped_rungs.length > 0) words.push(this.words.say("send-server-less"));
    write(place(this.root, "send-report"), words.join(" "));
  }

  /** @param {"connecting" | "open" | "lost"} state */
  linked(state) {
    if (state === "lost") this.maker?.lost();
    this.linkState = state;
    if (state !== "open") this.say(state === "lost" ? "send-lost" : "send-connecting");
    this.draw();
  }

  /** @param {import("./publish_wire.js").PublishProblem} code */
  problem(code) {
    this.maker?.lost();
    this.linkState = "";
    this.say(`send-${code}`);
    if (code === "occupied") this.dialog(true);
    // Whoever was taken over from keeps the camera for another try; the others are done.
    else if (["ended", "taken_over", "not_leading"].includes(code)) this.close();
    this.draw();
  }

  /** @param {number} speaker @param {Uint8Array<ArrayBuffer>} data */
  async voice(speaker, data) {
    this.voices ??= import("./voices.js").then(({ Voices }) => new Voices());
    (await this.voices).hear(speaker, data);
  }

  /** @param {boolean} open */
  dialog(open) {
    const dialog = /** @type {HTMLDialogElement | null} */ (this.root.querySelector("dialog[data-occupied]"));
    if (open) dialog?.showModal();
    else dialog?.close();
  }

  /** A phone that sleeps stops sending. */
  async stayAwake() {
    if (!this.sending() || document.hidden || !navigator.wakeLock) return;
    this.lock = await navigator.wakeLock.request("screen").catch(() => null);
  }

  meter() {
    const meter = /** @type {HTMLMeterElement | null} */ (this.root.querySelector("meter"));
    const level = this.maker?.level() ?? this.source.level();
    if (meter) meter.value = this.muted && this.maker ? 0 : level;
  }

  draw() {
    const sending = this.sending();
    const pictures = this.source.pictures() ?? this.wish.kind !== "voice";
    this.root.dataset.sending = sending ? this.linkState : "";
    show(button(this.root, "send"), !sending && this.link.url !== "");
    show(button(this.root, "check"), !sending);
    show(button(this.root, "send-stop"), sending);
    show(button(this.root, "send-mute"), sending);
    show(button(this.root, "send-hide"), sending && pictures);
    button(this.root, "send-mute")?.setAttribute("aria-pressed", String(this.muted));
    button(this.root, "send-hide")?.setAttribute("aria-pressed", String(this.hidden));
    show(place(this.root, "on-air"), sending && this.linkState === "open");
  }
}
