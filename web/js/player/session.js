// @ts-check
/** The conversation with the server about one timeline: what is wanted, what came, what was played. */

import { Link } from "./socket.js";
import { Lane, MOST_BYTES } from "./store.js";
import { canPlay } from "./buffers.js";

/** @typedef {import("./frames.js").Frame} Frame */
/** @typedef {import("./protocol.js").ClientMessage} ClientMessage */
/** @typedef {import("./protocol.js").ServerMessage} ServerMessage */
/** @typedef {import("./protocol.js").Welcome} Welcome */
/** @typedef {import("./protocol.js").Rendition} Rendition */

/** What this browser may be able to decode; the server offers only rungs of these. */
const CODECS = [
  ["avc1", 'video/mp4; codecs="avc1.64001f"'],
  ["av01", 'video/mp4; codecs="av01.0.05M.08"'],
  ["vp09", 'video/mp4; codecs="vp09.00.31.08"'],
  ["opus", 'audio/mp4; codecs="opus"'],
  ["mp4a", 'audio/mp4; codecs="mp4a.40.2"'],
].map(([name = "", mime = ""]) => /** @type {const} */ ([name, mime]));

/** Arrivals within this time share one acknowledgement. */
const ACK_MS = 200;
/** With nothing arriving, the server still hears of the position this often. */
const QUIET_ACK_MS = 5000;
/** Intervals in one message. */
const PLAYED_AT_ONCE = 50;
/** Stored media further ahead than this is left over from a seek. */
const FAR_AHEAD_MS = 150_000;

/**
 * @typedef {object} Ears what the session asks and tells the player
 * @property {() => number} headMs
 * @property {() => boolean} paused
 * @property {() => void} arrived
 * @property {() => void} welcomed
 * @property {(state: "connecting" | "open" | "lost") => void} state
 * @property {(code: string) => void} problem
 * @property {() => void} notCounted
 */

export class Session {
  /**
   * @param {{ url: string, timeline: string, scope: string }} where
   * @param {import("./evidence.js").Outbox} outbox
   * @param {Storage | null} storage
   * @param {Ears} ears
   */
  constructor(where, outbox, storage, ears) {
    this.where = where;
    this.outbox = outbox;
    this.storage = storage;
    this.ears = ears;
    this.lanes = { audio: new Lane("audio"), video: new Lane("video") };
    /** @type {Welcome | null} */
    this.ladder = null;
    this.rung = "";
    this.pinned = "auto";
    this.budgetBytes = 0;
    this.budgetReached = false;
    this.usedBytes = Number(this.recall("used") ?? 0);
    this.unacknowledged = 0;
    this.ackTimer = 0;
    this.ackDue = 0;
    this.link = new Link(where.url, {
      hello: () => this.hello(),
      control: (message) => this.control(message),
      frame: (frame, bytes) => this.frame(frame, bytes),
      state: (state) => this.ears.state(state),
      expecting: () => this.expecting(),
    });
  }

  start() {
    this.link.start();
  }

  /** @returns {ClientMessage} */
  hello() {
    this.unacknowledged = 0;
    return {
      type: "hello",
      timeline: this.where.timeline,
      position_ms: Math.round(this.ears.headMs()),
      codecs: CODECS.filter(([, mime]) => canPlay(mime)).map(([name]) => name),
      pin: this.pinned === "auto" ? null : this.pinned,
      budget_bytes: this.budgetBytes || null,
      receipt: this.recall("receipt"),
      resume: this.resume(),
    };
  }

  /** What is stored already, for each lane, so that it does not travel again. */
  resume() {
    const headMs = this.ears.headMs();
    return Object.values(this.lanes).flatMap((lane) => {
      const { newest } = lane;
      if (!newest || lane.coveredUntil(headMs) < newest.endMs) return [];
      const { epoch, rendition, sequence, part } = newest;
      return [{ lane: lane.name, epoch, rendition, sequence, part }];
    });
  }

  /** @param {Frame} frame @param {number} bytes */
  frame(frame, bytes) {
    this.lanes[frame.lane].add(frame);
    this.usedBytes += bytes;
    this.unacknowledged += bytes;
    this.keep("used", String(this.usedBytes));
    this.acknowledgeIn(ACK_MS);
    this.ears.arrived();
  }

  /** @param {number} ms an earlier appointment stands */
  acknowledgeIn(ms) {
    const due = performance.now() + ms;
    if (this.ackTimer && this.ackDue <= due) return;
    clearTimeout(this.ackTimer);
    this.ackDue = due;
    this.ackTimer = setTimeout(() => this.acknowledge(), ms);
  }

  acknowledge() {
    clearTimeout(this.ackTimer);
    this.ackTimer = 0;
    if (!this.ladder || !this.link.open) return;
    const headMs = this.ears.headMs();
    const { audio, video } = this.lanes;
    // A full store asks for nothing more by not acknowledging.
    const full = audio.bytes() + video.bytes() > MOST_BYTES;
    const bytes = full ? 0 : this.unacknowledged;
    this.unacknowledged -= bytes;
    this.link.send({
      type: "ack",
      bytes,
      position_ms: Math.round(headMs),
      audio_ms: Math.round(audio.aheadMs(headMs)),
      video_ms: Math.round(video.aheadMs(headMs)),
      paused: this.ears.paused(),
    });
    this.acknowledgeIn(full ? 1000 : QUIET_ACK_MS);
  }

  /** @param {ServerMessage} message */
  control(message) {
    switch (message.type) {
      case "welcome":
        this.ladder = message;
        this.rung = message.rung;
        this.keep("receipt", message.receipt);
        this.sendPlayed();
        this.ears.welcomed();
        break;
      case "rung":
        this.rung = message.rung;
        break;
      case "credited":
        this.outbox.settle(message.ids);
        break;
      case "refused_interval":
        this.outbox.settle([message.id]);
        this.ears.notCounted();
        break;
      case "budget_reached":
        this.budgetReached = true;
        break;
      case "problem":
        this.ears.problem(message.code);
        this.link.stop();
        break;
      default:
        break;
    }
  }

  /** @param {import("./evidence.js").Interval} interval */
  played(interval) {
    this.outbox.put(interval);
    this.sendPlayed();
  }

  /** Sent again after every reconnection until the server has settled it; the ids make that safe. */
  sendPlayed() {
    const intervals = this.outbox.list().slice(0, PLAYED_AT_ONCE);
    if (this.ladder && intervals.length > 0) this.link.send({ type: "played", intervals });
  }

  /** @param {number} toMs */
  seek(toMs) {
    if (this.ladder) this.link.send({ type: "seek", position_ms: Math.round(toMs) });
  }

  /** @param {string} rung */
  pin(rung) {
    this.pinned = rung;
    this.link.send({ type: "pin", rung: rung === "auto" ? null : rung });
  }

  /** @param {number} bytes 0 for no limit */
  budget(bytes) {
    this.budgetBytes = bytes;
    this.budgetReached = false;
    this.link.send({ type: "budget", bytes: bytes || null });
  }

  /** Media is due: the head needs it, and the server has not been told to hold back. */
  expecting() {
    const headMs = this.ears.headMs();
    return Object.values(this.lanes).some(
      (lane) => lane.chunks.length > 0 && lane.endMs === null && lane.aheadMs(headMs) < 5000,
    );
  }

  /** @param {number} headMs @param {"none" | "audio" | "video" | "both"} playing */
  prune(headMs, playing) {
    for (const lane of Object.values(this.lanes)) {
      lane.dropAfter(headMs + FAR_AHEAD_MS);
      // Lanes that play are pruned together with their source buffer.
      const idle = playing !== "both" && playing !== lane.name;
      const start = idle ? lane.segmentStart(headMs) : undefined;
      if (start !== undefined) lane.dropBefore(start);
    }
  }

  get durationMs() {
    return this.ladder?.duration_ms ?? 0;
  }

  /** @param {number} index */
  codecOf(index) {
    return this.ladder?.renditions[index]?.codec ?? "";
  }

  /** Which lanes there are, and whether the rung in use has pictures. */
  expected() {
    const renditions = this.ladder?.renditions ?? [];
    return {
      hasAudio: renditions.some((each) => each.kind === "audio"),
      hasVideo: renditions.some((each) => each.kind !== "audio"),
      expectVideo: renditions.find((each) => each.id === this.rung)?.kind !== "audio",
    };
  }

  /**
   * The rungs with their words and what they cost from here to the end.
   * @param {number} headMs
   * @param {(kind: string, height: number) => string} name
   */
  rungs(headMs, name) {
    const renditions = this.ladder?.renditions ?? [];
    const audioBytes = renditions.find((each) => each.kind === "audio")?.bytes ?? 0;
    const left = this.durationMs > 0 ? Math.max(0, 1 - headMs / this.durationMs) : 0;
    return renditions.map((each) => ({
      id: each.id,
      name: name(each.kind, each.height),
      bytes: left * (each.bytes + (each.kind === "audio" ? 0 : audioBytes)),
    }));
  }

  /** @param {string} what */
  recall(what) {
    return this.storage?.getItem(`millet.${what}.${this.where.scope}`) ?? null;
  }

  /** @param {string} what @param {string} value */
  keep(what, value) {
    try {
      this.storage?.setItem(`millet.${what}.${this.where.scope}`, value);
    } catch {
      // Storage is full: this visit goes on without a memory.
    }
  }
}
