// @ts-check
/** The conversation with the server about one timeline: what is wanted, what came, what was played. */

import { canPlay } from "./buffers.js";
import { Outbox, makeUuid, openStorage } from "./evidence.js";
import { PLAYED_AT_ONCE, handIn } from "./leftovers.js";
import { Link } from "./socket.js";
import { Lane, MOST_BYTES } from "./store.js";

/** @typedef {import("./protocol.js").ClientMessage} ClientMessage */
/** @typedef {import("./protocol.js").ServerMessage} ServerMessage */

/** What this browser may be able to decode; the server offers only rungs of these. */
const CODECS = {
  avc1: 'video/mp4; codecs="avc1.64001f"',
  av01: 'video/mp4; codecs="av01.0.05M.08"',
  opus: 'audio/mp4; codecs="opus"',
  mp4a: 'audio/mp4; codecs="mp4a.40.2"',
};

const codecs = () => Object.entries(CODECS).flatMap(([name, mime]) => (canPlay(mime) ? [name] : []));

/** Arrivals within this time share one acknowledgement, until the server asks for fewer. */
const ACK_MS = 200;
/** With nothing arriving, the server still hears of the buffer this often while it plays. */
const QUIET_ACK_MS = 5000;
/** A better picture may begin this far from the head: it needs time to arrive. */
const SOON_MS = 3000;
/** Where the device keeps the limit: whoever pays for data chooses it once. */
const BUDGET = "millet.budget";
/** With less than this stored, silence of the server is suspicious. */
const SCARCE_MS = 10_000;

export class Session {
  /**
   * @param {string} url
   * @param {import("./evidence.js").Outbox} outbox
   * @param {import("./types.js").SessionUser} user
   */
  constructor(url, outbox, user) {
    this.timeline = outbox.timeline;
    this.scope = `${outbox.learner}.${outbox.timeline}`;
    this.outbox = outbox;
    this.user = user;
    this.storage = openStorage();
    this.id = makeUuid();
    this.lanes = { audio: new Lane("audio"), video: new Lane("video") };
    /** @type {Extract<ServerMessage, { type: "welcome" }> | null} */
    this.ladder = null;
    this.rung = "";
    /** So far it is prepared, null for the whole. */
    this.preparedMs = /** @type {number | null} */ (null);
    this.pinned = "auto";
    /** Most bytes of this visit, 0 for no limit. */
    this.budgetBytes = Number(this.storage?.getItem(BUDGET) ?? 0);
    this.budgetReached = false;
    /** No media is wanted yet, words alone. */
    this.asleep = false;
    this.watchedPermille = -1;
    /** Everything received in this visit. */
    this.usedBytes = 0;
    /** Received since the welcome, and how much of it the server may know. */
    this.receivedBytes = 0;
    this.acknowledgedBytes = 0;
    this.ackMs = ACK_MS;
    this.ackTimer = 0;
    this.ackDue = 0;
    /** When the newest message arrived, and how long after the one before; null: it was acknowledged. */
    this.arrivedAt = 0;
    this.gapMs = /** @type {number | null} */ (null);
    /** The welcome of this connection has come. */
    this.welcomed = false;
    this.epoch = 0;
    /** A seek that waits for the welcome. */
    this.seekLater = false;
    /** What the hello of this connection asked for. */
    this.said = { pinned: "auto", left: /** @type {number | null} */ (null) };
    this.link = new Link(url, {
      hello: () => this.hello(),
      control: (message) => this.control(message),
      frame: (frame, bytes) => this.frame(frame, bytes),
      state: (state) => this.user.linked(state),
      expecting: () => this.user.storedMs() < SCARCE_MS && !this.budgetReached,
    });
    void outbox.ready.then((timelines) => this.handIn(timelines));
  }

  /** @returns {ClientMessage} */
  hello() {
    this.receivedBytes = 0;
    this.acknowledgedBytes = 0;
    this.ackMs = ACK_MS;
    this.welcomed = false;
    this.seekLater = false;
    this.said = { pinned: this.pinned, left: this.leftBytes() };
    return {
      type: "hello",
      timeline: this.timeline,
      session: this.id,
      position_ms: Math.round(this.missingMs(this.user.headMs()) ?? this.user.headMs()),
      codecs: codecs(),
      pin: this.pinned === "auto" ? null : this.pinned,
      budget_bytes: this.said.left,
      resume: this.resume(),
      receipt: this.recall("receipt"),
      live: this.user.live(),
    };
  }

  /** What earlier visits could not settle, of this lesson or another, one after the other. @param {string[]} timelines */
  async handIn(timelines) {
    const { learner, shelf } = this.outbox;
    for (const timeline of timelines) {
      const own = timeline === this.timeline;
      const outbox = own ? this.outbox : new Outbox(learner, timeline, Promise.resolve(shelf));
      await outbox.ready;
      const receipt = this.storage?.getItem(`millet.receipt.${learner}.${timeline}`) ?? null;
      await handIn(this.link.url, outbox, codecs(), receipt);
    }
  }

  /** What is stored already, so that it does not travel again. */
  resume() {
    const headMs = this.user.headMs();
    const { audio, video } = this.lanes;
    const [sound, picture] = [audio, video].map((lane) => {
      const newest = lane.resumable(headMs);
      return newest?.epoch === this.epoch ? newest : null;
    });
    if (!sound && !picture) return null;
    return {
      epoch: this.epoch,
      video_sequence: picture?.sequence ?? null,
      video_part: picture?.part ?? null,
      audio_sequence: sound?.sequence ?? null,
      audio_part: sound?.part ?? null,
    };
  }

  /** Where the server must go on for a play from `atMs`, or null if it does so already. @param {number} atMs */
  missingMs(atMs) {
    const { hasAudio, expectVideo } = this.expected();
    const missing = Object.values(this.lanes)
      .filter(({ name }) => (name === "audio" ? hasAudio : expectVideo))
      .filter((lane) => !lane.complete(atMs) && !lane.resumable(atMs))
      .map((lane) => lane.coveredUntil(atMs, true));
    return missing.length > 0 ? Math.min(...missing) : null;
  }

  /** @param {import("./types.js").Frame} frame @param {number} bytes */
  frame(frame, bytes) {
    const now = performance.now();
    this.gapMs = now - this.arrivedAt;
    this.arrivedAt = now;
    this.usedBytes += bytes;
    this.receivedBytes += bytes;
    // It was raised before the word of its end came.
    this.budgetReached = false;
    // What an older seek asked for is late: paid, but of no use.
    if (frame.kind === "init" || frame.epoch === this.epoch) this.lanes[frame.lane].add(frame);
    this.acknowledgeIn(this.ackMs);
    this.user.arrived();
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
    if (!this.welcomed || !this.link.socket) return;
    const { audio, video } = this.lanes;
    // A full store asks for nothing more by not acknowledging.
    const full = audio.bytes() + video.bytes() > MOST_BYTES;
    if (!full) this.acknowledgedBytes = this.receivedBytes;
    const buffer_ms = Math.round(this.user.storedMs());
    // A full store says less than what arrived, so that no message is the newest one.
    const delay_ms = Math.round(performance.now() - this.arrivedAt);
    const newest = this.gapMs === null || full ? {} : { gap_ms: Math.round(this.gapMs), delay_ms };
    this.gapMs = null;
    this.link.send({ type: "ack", bytes: this.acknowledgedBytes, buffer_ms, ...newest });
    if (!this.user.paused()) this.acknowledgeIn(QUIET_ACK_MS);
  }

  /** @param {ServerMessage | import("../live/room.js").RoomMessage} message */
  control(message) {
    switch (message.type) {
      case "welcome":
        this.ladder = message;
        this.rung = message.rung;
        this.epoch = message.epoch;
        this.preparedMs = message.prepared_ms;
        this.welcomed = true;
        this.keep("receipt", message.receipt);
        this.sendPlayed();
        this.sayChanges();
        if (this.seekLater) this.seek(this.user.headMs());
        break;
      case "prepared":
        this.preparedMs = message.prepared_ms;
        break;
      case "finished":
        this.preparedMs = null;
        if (this.ladder) this.ladder = { ...this.ladder, ...message, type: "welcome" };
        break;
      case "rung":
        this.rung = message.rung;
        break;
      case "ack_delay":
        this.ackMs = message.most_ms;
        break;
      case "receipt":
        this.keep("receipt", message.receipt);
        break;
      case "credited":
        this.watchedPermille = message.watched_permille;
        this.outbox.settle(message.ids);
        if (message.ids.length > 0) this.sendPlayed();
        break;
      case "refused_interval":
        this.outbox.settle([message.id]);
        this.user.notice("not-counted");
        break;
      case "budget_reached":
        this.budgetReached = true;
        break;
      case "end":
        for (const lane of Object.values(this.lanes)) lane.endMs ??= lane.newest?.endMs ?? null;
        this.user.arrived();
        break;
      case "completed":
        this.user.completed(message.course);
        break;
      case "problem":
        this.user.problem(message.code);
        this.link.stop();
        break;
      default:
        this.user.other(message);
    }
    this.user.changed();
  }

  /** What the learner chose while the hello was on its way. */
  sayChanges() {
    const { pinned, left } = this.said;
    if (this.leftBytes() !== left) this.link.send({ type: "budget", bytes: this.leftBytes() });
    if (this.pinned === pinned) return;
    this.link.send({ type: "pin", rung: this.pinned === "auto" ? null : this.pinned });
  }

  /** @param {import("./protocol.js").Interval} interval */
  played(interval) {
    this.outbox.put(interval);
    this.sendPlayed();
  }

  /** Sent again after every reconnection until the server has settled it; the ids make that safe. */
  sendPlayed() {
    const intervals = this.outbox.list(PLAYED_AT_ONCE);
    if (!this.welcomed || intervals.length === 0) return;
    this.link.send({ type: "played", intervals, receipt: this.recall("receipt") });
  }

  /** @param {number} toMs */
  seek(toMs) {
    this.seekLater = !this.welcomed;
    const missingMs = this.missingMs(toMs);
    if (this.welcomed && missingMs !== null) this.ask(missingMs);
  }

  /** @param {number} fromMs where the server goes on */
  ask(fromMs) {
    this.epoch += 1;
    this.link.send({ type: "seek", position_ms: Math.round(fromMs), epoch: this.epoch });
  }

  /** @param {string} rung */
  pin(rung) {
    this.pinned = rung;
    if (!this.welcomed) return;
    this.link.send({ type: "pin", rung: rung === "auto" ? null : rung });
    // A better picture is wanted now; for a lesser one what is stored is good enough.
    if (this.bytesOf(rung) > this.bytesOf(this.rung)) {
      const headMs = this.user.headMs();
      const from = this.lanes.video.segmentAfter(headMs + SOON_MS);
      if (from === undefined) this.seek(headMs);
      else this.ask(from);
    }
  }

  /** Media may come from now on. */
  wake() {
    this.asleep = false;
    this.budget(this.budgetBytes);
  }

  /** @param {string} id */
  bytesOf(id) {
    return this.ladder?.rungs.find((each) => each.id === id)?.bytes ?? 0;
  }

  /** @param {number} bytes 0 for no limit */
  budget(bytes) {
    this.budgetBytes = bytes;
    this.budgetReached = false;
    this.write(BUDGET, String(bytes));
    if (this.welcomed) this.link.send({ type: "budget", bytes: this.leftBytes() });
  }

  /** What may still be sent: the server knows nothing of what came before a cut. */
  leftBytes() {
    if (this.asleep) return 0;
    return this.budgetBytes ? Math.max(0, this.budgetBytes - this.usedBytes) : null;
  }

  /** @param {number | null} index */
  rendition(index) {
    return this.ladder?.renditions.find((each) => each.index === index);
  }

  /** Which lanes there are, and whether the rung in use has pictures. */
  expected() {
    const rungs = this.ladder?.rungs ?? [];
    return {
      hasAudio: rungs.some((each) => each.audio !== null),
      hasVideo: rungs.some((each) => each.video !== null),
      expectVideo: rungs.find((each) => each.id === this.rung)?.video !== null,
    };
  }

  /**
   * The rungs with their words and what they cost from here to the end.
   * @param {(kind: string, height: number) => string} name
   */
  rungs(name) {
    const { duration_ms = 0, rungs = [] } = this.ladder ?? {};
    const left = duration_ms > 0 ? Math.max(0, 1 - this.user.headMs() / duration_ms) : 0;
    return rungs.map(({ id, video, bytes }) => {
      const picture = this.rendition(video);
      return { id, name: name(picture?.kind ?? "audio", picture?.height ?? 0), bytes: left * bytes };
    });
  }

  /** @param {string} what */
  recall(what) {
    return this.storage?.getItem(`millet.${what}.${this.scope}`) ?? null;
  }

  /** @param {string} what @param {string} value */
  keep(what, value) {
    this.write(`millet.${what}.${this.scope}`, value);
  }

  /** @param {string} key @param {string} value */
  write(key, value) {
    try {
      this.storage?.setItem(key, value);
    } catch {
      // Storage is full: this visit goes on without a memory.
    }
  }
}
