// @ts-check
/**
 * Speaking with the floor: press to talk. On a link that cannot carry speech in its own time, what is said
 * becomes a voice note that the class hears when all of it has arrived. Loaded when the floor is given.
 */

import { backOffMs } from "../player/socket.js";
import { button, place, write } from "./dom.js";
import { SpeakerLink } from "./floor_link.js";
import { Microphone, SampleClock } from "./microphone.js";
import { VOICE, canEncodeVoice } from "./publish_codec.js";

/** Fewer boxes around what is said: a third of what packets of 20 ms cost. */
const PACKET_MS = 60;
/** @type {AudioEncoderConfig} */
const SPEECH = {
  ...VOICE,
  bitrate: 16_000,
  opus: /** @type {OpusEncoderConfig} */ ({ application: "voip", frameDuration: PACKET_MS * 1000 }),
};
/** Speech that waits this long is no conversation any more. */
const WEAK_MS = 2500;
/** The server takes a minute. */
const LONGEST_NOTE_MS = 58_000;
/** A note is tried again so often. */
const TRIES = 6;

/** @typedef {"live" | "note"} SpeechKind */

/**
 * @typedef {object} Hearer
 * @property {(key: string, values?: Record<string, number>) => void} say in words of the page
 * @property {(on: boolean) => void} talking
 */

export class Speaker {
  /** @param {string} url @param {Hearer} hearer */
  constructor(url, hearer) {
    this.url = url;
    this.hearer = hearer;
    this.talking = false;
    /** The link was too weak once: what follows is a note from its beginning. */
    this.weak = false;
    /** @type {SpeechKind} */
    this.kind = "live";
    /** @type {Microphone | null} */
    this.microphone = null;
    /** @type {AudioEncoder | null} */
    this.encoder = null;
    /** @type {SpeakerLink | null} */
    this.link = null;
    /** @type {Uint8Array<ArrayBuffer>[]} */
    this.note = [];
  }

  /** Within a touch: the microphone is asked for the first time. */
  async start() {
    if (this.talking) return;
    this.talking = true;
    this.hearer.talking(true);
    /** @type {MediaStream} */
    let stream;
    try {
      const audio = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };
      stream = await navigator.mediaDevices.getUserMedia({ audio });
    } catch {
      this.hearer.say("talk-no-microphone");
      return this.silence();
    }
    // Let go while the browser asked.
    if (!this.talking) return release(stream);
    const microphone = new Microphone(stream);
    const clock = new SampleClock();
    const encoder = new AudioEncoder({
      output: (chunk) => this.packet(bytes(chunk)),
      error: () => void this.stop(),
    });
    encoder.configure(SPEECH);
    microphone.heard = (samples) => {
      const timestamp = Math.round(clock.stamp(performance.now() * 1000));
      const data = new AudioData({
        format: "f32",
        sampleRate: 48_000,
        numberOfFrames: samples.length,
        numberOfChannels: 1,
        timestamp,
        data: samples,
      });
      if (encoder.state === "configured") encoder.encode(data);
      data.close();
    };
    this.microphone = microphone;
    this.encoder = encoder;
    this.note = [];
    this.begin(this.weak ? "note" : "live");
    await microphone.start();
    if (!this.talking) release(stream);
  }

  /** @param {SpeechKind} kind */
  begin(kind) {
    this.kind = kind;
    this.hearer.say(kind === "live" ? "talk-live" : "talk-note");
    if (kind === "note") return;
    const link = new SpeakerLink(this.url, "live", {
      problem: (code) => this.refused(code),
      lost: () => link === this.link && this.weaken(),
      kept: () => undefined,
    });
    this.link = link;
  }

  /** @param {Uint8Array<ArrayBuffer>} data */
  packet(data) {
    if (this.kind === "live" && this.link) {
      this.link.packet(data);
      if (this.link.waitingMs(SPEECH.bitrate ?? 0) > WEAK_MS) this.weaken();
      return;
    }
    this.note.push(data);
    if (this.note.length * PACKET_MS >= LONGEST_NOTE_MS) void this.stop();
  }

  /** The link does not carry it: goes on as a note, with what the server has not got. */
  weaken() {
    this.weak = true;
    this.note = this.link?.abandon() ?? [];
    this.link = null;
    this.begin("note");
  }

  /** @param {string} code */
  refused(code) {
    this.link = null;
    this.hearer.say(code === "no_floor" ? "talk-no-floor" : "talk-lost");
    this.silence();
  }

  silence() {
    this.talking = false;
    this.hearer.talking(false);
    const { microphone, encoder } = this;
    this.microphone = null;
    this.encoder = null;
    if (encoder?.state === "configured") encoder.close();
    if (!microphone) return;
    microphone.stop();
    // The phone shows that nothing listens any more.
    release(microphone.stream);
  }

  async stop() {
    if (!this.talking) return;
    this.talking = false;
    const { encoder } = this;
    if (this.microphone) this.microphone.heard = null;
    if (encoder?.state === "configured") await encoder.flush().catch(() => undefined);
    const { kind, link, note } = this;
    this.silence();
    this.link = null;
    if (kind === "live") {
      link?.over();
      this.hearer.say("talk-hint");
    } else if (note.length > 0) {
      await this.sendNote(note);
    }
  }

  /** @param {Uint8Array<ArrayBuffer>[]} note kept until the server has it */
  async sendNote(note) {
    for (let attempt = 0; attempt < TRIES; attempt += 1) {
      this.hearer.say("talk-sending", { seconds: Math.ceil((note.length * PACKET_MS) / 1000) });
      const done = await sent(this.url, note);
      if (done === "kept") return this.hearer.say("talk-kept");
      if (done === "no_floor") return this.hearer.say("talk-no-floor");
      if (done !== "lost") break;
      await new Promise((again) => setTimeout(again, backOffMs(attempt, Math.random())));
    }
    this.hearer.say("talk-lost");
  }
}

/** @param {string} url @param {Uint8Array<ArrayBuffer>[]} note @returns {Promise<string>} */
function sent(url, note) {
  return new Promise((resolve) => {
    const link = new SpeakerLink(url, "note", {
      problem: resolve,
      lost: () => resolve("lost"),
      kept: () => resolve("kept"),
    });
    for (const packet of note) link.packet(packet);
    link.over();
  });
}

/** @param {MediaStream} stream */
function release(stream) {
  for (const track of stream.getTracks()) track.stop();
}

/** @param {EncodedAudioChunk} chunk */
function bytes(chunk) {
  const data = new Uint8Array(chunk.byteLength);
  chunk.copyTo(data);
  return data;
}

/** What was said comes back behind the class's own delay: so much longer nobody needs to hear it. */
const ECHO_MS = 1500;

/** @param {import("./types.js").Context} context */
export async function mountFloor({ root, words, playback }) {
  const talk = button(root, "talk");
  const status = place(root, "talk-status");
  if (!talk) return;
  const url = new URL(root.dataset.speak ?? "", location.href);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  const say = (/** @type {string} */ key, /** @type {Record<string, number>} */ values = {}) =>
    write(status, words.say(key, values));
  if (!navigator.mediaDevices || !(await canEncodeVoice())) return say("talk-cannot");
  let echo = 0;
  const speaker = new Speaker(url.href, {
    say,
    talking(on) {
      talk.setAttribute("aria-pressed", String(on));
      clearTimeout(echo);
      const { video } = playback;
      if (on) video.muted = true;
      else echo = setTimeout(() => (video.muted = false), playback.behindMs() + ECHO_MS);
    },
  });
  talk.disabled = false;
  say("talk-hint");
  talk.addEventListener("pointerdown", (event) => {
    talk.setPointerCapture(event.pointerId);
    void speaker.start();
  });
  for (const end of /** @type {const} */ (["pointerup", "pointercancel", "lostpointercapture"]))
    talk.addEventListener(end, () => void speaker.stop());
  // Keyboards and screen readers press once to begin and once to end.
  talk.addEventListener("click", (event) => {
    if (event.detail !== 0) return;
    void (speaker.talking ? speaker.stop() : speaker.start());
  });
  talk.addEventListener("contextmenu", (event) => event.preventDefault());
  document.addEventListener("visibilitychange", () => document.hidden && void speaker.stop());
}
