// @ts-check
/** Camera or screen and microphone: opening, choosing, showing and hearing them. */

import { place, show } from "./dom.js";
import { Microphone } from "./microphone.js";

/** What the page has a sentence for; other reasons are shown as the browser says them. */
const KNOWN = ["NotAllowedError", "NotFoundError", "NotReadableError"];
const KINDS = /** @type {const} */ ([
  ["camera", "videoinput"],
  ["microphone", "audioinput"],
]);

export class Source {
  /** @param {HTMLElement} root @param {(track: MediaStreamTrack) => void} ended outside of this page */
  constructor(root, ended) {
    this.root = root;
    this.ended = ended;
    /** @type {MediaStream | null} */
    this.stream = null;
    /** @type {Microphone | null} how loud it is before the class */
    this.ear = null;
  }

  /** @param {string} name @returns {HTMLSelectElement | null} */
  select(name) {
    return this.root.querySelector(`select[name="${name}"]`);
  }

  /** @param {(name: "camera" | "microphone", device: string) => void} chosen */
  onChoice(chosen) {
    for (const [name] of KINDS) {
      const select = this.select(name);
      select?.addEventListener("change", () => chosen(name, select.value));
    }
  }

  /**
   * Opens it, in place of what was open.
   * @param {import("./publish_wire.js").Wish} wish
   * @returns {Promise<{ key: string, reason: string } | null>} why not; then what was open stays
   */
  async open(wish) {
    let stream;
    try {
      stream = await openStream(wish);
    } catch (error) {
      const name = error instanceof DOMException ? error.name : "";
      return { key: KNOWN.includes(name) ? name : "failed", reason: String(error) };
    }
    this.close();
    this.stream = stream;
    for (const track of stream.getTracks()) {
      track.addEventListener("ended", () => this.stream === stream && this.ended(track));
    }
    this.preview(stream);
    await this.fill(stream, wish);
    return null;
  }

  close() {
    this.deafen();
    for (const track of this.stream?.getTracks() ?? []) track.stop();
    this.stream = null;
    this.preview(null);
  }

  /** @param {MediaStream | null} stream */
  preview(stream) {
    const picture = /** @type {HTMLVideoElement | null} */ (this.root.querySelector("video[data-preview]"));
    if (!picture) return;
    picture.srcObject = stream;
    show(picture, (stream?.getVideoTracks().length ?? 0) > 0);
    if (stream) void picture.play().catch(() => undefined);
  }

  /** @param {MediaStream} stream @param {import("./publish_wire.js").Wish} wish */
  async fill(stream, wish) {
    for (const [name, kind] of KINDS) {
      const select = this.select(name);
      const found = await devices(kind);
      select?.replaceChildren(...found.map(({ label, deviceId }) => new Option(label, deviceId)));
      const used = stream.getTracks().find((track) => kind.startsWith(track.kind));
      const current = wish[name] || used?.getSettings().deviceId || "";
      if (select && found.some((each) => each.deviceId === current)) select.value = current;
    }
  }

  /** Hears the microphone before anything is sent. */
  async listen() {
    if (this.ear || !this.stream || this.stream.getAudioTracks().length === 0) return;
    this.ear = new Microphone(this.stream);
    await this.ear.start().catch(() => undefined);
  }

  deafen() {
    this.ear?.stop();
    this.ear = null;
  }

  level() {
    return this.ear?.level ?? 0;
  }

  /** Whether there is a picture; null while nothing is open. */
  pictures() {
    return this.stream ? this.stream.getVideoTracks().length > 0 : null;
  }
}

/** @param {import("./publish_wire.js").Wish} wish @returns {Promise<MediaStream>} */
async function openStream({ kind, camera, microphone }) {
  const sound = {
    deviceId: microphone || undefined,
    echoCancellation: true,
    noiseSuppression: true,
    autoGainControl: true,
    channelCount: 1,
  };
  if (kind === "screen") {
    const screen = await navigator.mediaDevices.getDisplayMedia({ video: { frameRate: 15 }, audio: false });
    try {
      const voice = await navigator.mediaDevices.getUserMedia({ audio: sound });
      return new MediaStream([...screen.getVideoTracks(), ...voice.getAudioTracks()]);
    } catch (error) {
      // A shared screen without a voice is still a lesson in writing.
      if (error instanceof DOMException && error.name === "NotFoundError") return screen;
      for (const track of screen.getTracks()) track.stop();
      throw error;
    }
  }
  const picture = {
    deviceId: camera || undefined,
    width: { ideal: 640 },
    height: { ideal: 360 },
    frameRate: { ideal: 20, max: 30 },
  };
  return navigator.mediaDevices.getUserMedia({ audio: sound, video: kind === "camera" ? picture : false });
}

/** Names are known once one of them was allowed. @param {MediaDeviceKind} kind */
async function devices(kind) {
  const all = await navigator.mediaDevices.enumerateDevices();
  return all.filter((each) => each.kind === kind && each.deviceId !== "");
}
