// @ts-check
/**
 * A class being watched: the lesson's player, and what a timeline that still grows asks for besides.
 * Words come first: no media travels before the learner presses play, and the room does not wait.
 */

import { Playback } from "../player/playback.js";
import { enoughMs } from "../player/store.js";
import { Latency, edgeNow, overHole } from "./latency.js";

/** @typedef {import("../player/protocol.js").LiveNow} LiveNow */
/** @typedef {import("../player/protocol.js").Follow} Follow */

/** Where the device keeps how somebody wants to watch classes. */
const RANGE = "millet.live.range";
const FOLLOW = "millet.live.follow";
/** Stored behind a hole before it is jumped: less would stall again at once. */
const ENOUGH_MS = 700;
/** This near to the edge counts as the present. */
const PRESENT_MS = 8000;
/** A picture alone may play when the teacher sends no sound for so long. */
const SILENT_MS = 3000;
/** Live, little can be stored: the picture falls away and returns at less than in a lesson. */
const SCARCITY = 0.2;
/** Stored beside stills: moving pictures come half a second after them, and shall find their place. */
const STILLS_MS = 800;
/** Shorter stalls are breath, no reason for more distance. */
const STALL_MS = 400;

/** Safari stores anew at each change of speed; it seeks instead. */
const RUNS =
  !("ManagedMediaSource" in globalThis) && !/^((?!chrome|android).)*safari/i.test(navigator.userAgent);

export class LivePlayback extends Playback {
  /**
   * @param {HTMLElement} section
   * @param {HTMLVideoElement} video
   * @param {import("./types.js").LiveUser} user
   */
  constructor(section, video, user) {
    super(section, video);
    this.user = user;
    this.latency = new Latency();
    const { session } = this;
    this.latency.choose(session.storage?.getItem(RANGE) ?? "close");
    /** @type {Follow} */
    this.follow = session.storage?.getItem(FOLLOW) === "all" ? "all" : "edge";
    /** @type {LiveNow | null} */
    this.live = null;
    this.liveAt = 0;
    /** Wants the present; false after a step back. */
    this.atEdge = true;
    /** Waits for the first chunk to know where to begin. */
    this.joining = true;
    /** @type {object | null} the welcome that was looked at */
    this.known = null;
    this.silentSince = 0;
    this.stallCounted = false;
    session.asleep = true;
    session.rungs = (name) => this.rungs(name);
    const expected = session.expected.bind(session);
    session.expected = () => this.withoutSilence(expected());
    session.link.user.expecting = () => this.live !== null && !this.live.ended;
  }

  /** A class is joined at the present, whatever was watched before. */
  firstPosition() {
    return null;
  }

  wish() {
    return {
      follow: this.wishedFollow(),
      at_edge: this.joining,
      events_after: this.user.eventsAfter(),
    };
  }

  /** Whoever stepped back wants to see what is there. @returns {Follow} */
  wishedFollow() {
    return this.atEdge ? this.follow : "all";
  }

  /** @param {import("../player/types.js").OtherMessage} message */
  other(message) {
    if (message.type === "live") this.grown(message.live);
    else this.user.said(message);
  }

  /** @param {LiveNow | null} live */
  grown(live) {
    if (!live) return;
    this.live = live;
    this.liveAt = performance.now();
    this.user.clock(live.now_ms, live.ended);
    this.tick();
  }

  changed() {
    const { ladder } = this.session;
    if (ladder && ladder !== this.known) {
      this.known = ladder;
      this.grown(ladder.live);
      // A closed class is a lesson like any other.
      if (!ladder.live && this.timer) this.joining = false;
      this.user.welcomed();
      // Far from the present on purpose: the server's own choice would be too near.
      if (this.joining && this.timer && this.latency.name !== "close") this.toEdge();
    }
    super.changed();
  }

  /** What the welcome said has grown since: drawn, it would stand behind the head. */
  lengthMs() {
    return this.edgeMs();
  }

  /** The edge of what grows is no end. @param {number} headMs */
  nearEnd(headMs) {
    return this.ended() && super.nearEnd(headMs);
  }

  /** Until the class has ended nobody knows: a jump behind a length once known would end there. */
  finalMs() {
    return this.ended() ? super.finalMs() : 0;
  }

  edgeMs() {
    const { ladder, lanes } = this.session;
    const arrived = Math.max(lanes.audio.newest?.endMs ?? 0, lanes.video.newest?.endMs ?? 0);
    if (!this.live) return Math.max(ladder?.duration_ms ?? 0, arrived);
    return edgeNow(this.live, performance.now() - this.liveAt, arrived);
  }

  /** The class's clock now, also when nothing comes. */
  nowMs() {
    return this.live ? this.live.now_ms + performance.now() - this.liveAt : 0;
  }

  ended() {
    return this.live === null || this.live.ended;
  }

  begin() {
    if (this.timer) return;
    super.begin();
    // Where from comes before how much: media of an old present would be paid for nothing.
    if (this.joining && this.session.ladder && this.ended()) {
      this.joining = false;
      super.seek(0);
    } else if (this.joining) {
      this.toEdge();
    }
    this.session.wake();
  }

  toggle() {
    const resumes = !this.wanted && this.timer !== 0;
    super.toggle();
    // Back from a pause: the present, unless everything is wanted.
    if (resumes && this.atEdge && this.follow === "edge" && this.behindMs() > PRESENT_MS) this.toEdge();
  }

  /** @param {number} wishMs */
  seek(wishMs) {
    const was = this.wishedFollow();
    this.atEdge = this.edgeMs() - wishMs < PRESENT_MS + this.latency.range().highMs;
    this.joining = false;
    this.latency.lookAnew();
    super.seek(wishMs);
    if (this.wishedFollow() !== was) this.sayFollow();
  }

  /** Jumps to the present. */
  toEdge() {
    const toMs = this.latency.startMs(this.edgeMs());
    this.look(true);
    this.atEdge = true;
    this.sayFollow();
    if (!this.joining) super.seek(toMs);
    else if (this.session.welcomed) this.session.ask(toMs);
  }

  sayFollow() {
    if (this.session.welcomed) this.session.link.send({ type: "follow", follow: this.wishedFollow() });
  }

  /** @param {Follow} follow */
  chooseFollow(follow) {
    this.follow = follow;
    this.session.write(FOLLOW, follow);
    this.sayFollow();
  }

  /** @param {string} name */
  chooseRange(name) {
    this.latency.choose(name);
    this.session.write(RANGE, name);
    if (this.timer && !this.joining) this.toEdge();
  }

  behindMs() {
    return Math.max(0, this.edgeMs() - this.headMs());
  }

  tick() {
    this.durationMs = this.edgeMs();
    if (this.timer && !this.ended()) {
      this.scarcity = this.latency.name === "close" ? SCARCITY : 1;
      if (this.joining) this.join();
      else if (this.wanted) this.steer();
    } else {
      this.scarcity = 1;
    }
    const { drops } = this;
    super.tick();
    // A keyframe of the picture did not fit into what is stored: farther from the present it does.
    if (this.drops > drops) this.latency.stalled(performance.now());
    this.user.ticked();
  }

  /** The head goes where the first sound (or else the first picture) of the present is. */
  join() {
    const { audio, video } = this.session.lanes;
    const [sound] = audio.chunks.filter((chunk) => chunk.epoch === this.session.epoch);
    const [picture] = video.chunks.filter((chunk) => chunk.epoch === this.session.epoch);
    const first = sound ?? (this.session.expected().hasAudio ? undefined : picture);
    if (!first) return;
    this.joining = false;
    this.targetMs = Math.max(first.startMs, picture?.startMs ?? 0);
  }

  steer() {
    const now = performance.now();
    const { video, session } = this;
    const headMs = this.headMs();
    if (this.targetMs !== null) return;
    // A seek into what then was left out would wait for ever.
    const toMs = video.readyState > 2 && this.buffers.playing !== "none" ? null : this.holeEnd(headMs);
    if (toMs !== null) return this.place(toMs);
    if (video.seeking) return;
    this.countStall(now);
    const { rate, seekMs } = this.latency.steer({
      edgeMs: this.edgeMs(),
      headMs,
      ...this.store(headMs),
      all: this.follow === "all" || !this.atEdge,
      runs: RUNS,
      wallMs: now,
    });
    if (seekMs !== null) {
      // What is stored needs no question to the server.
      if (seekMs <= headMs + this.storedMs()) this.place(seekMs);
      else this.toEdge();
    } else if (this.atEdge && video.playbackRate !== rate && session.welcomed) {
      video.playbackRate = rate;
    }
  }

  /** What is stored of what shall be shown, and what must be. @param {number} headMs */
  store(headMs) {
    const { session, buffers } = this;
    // The picture fell away and shall come back.
    if (buffers.playing === "audio" && session.expected().expectVideo) {
      const storedMs = session.lanes.video.aheadMs(headMs);
      return { storedMs, needMs: enoughMs(this.drops, this.scarcity) + 100 };
    }
    const stills = session.lanes.video.newest?.rendition;
    const needMs = session.rendition(stills ?? null)?.kind === "stills" ? STILLS_MS : 0;
    return { storedMs: this.storedMs(), needMs };
  }

  /** @param {number} headMs @returns {number | null} */
  holeEnd(headMs) {
    const { epoch, lanes: stored } = this.session;
    const { hasAudio, hasVideo, expectVideo } = this.session.expected();
    const { playing } = this.buffers;
    const audible = playing === "none" ? hasAudio : playing !== "video";
    // Pictures that do not come are not waited for: behind the hole, the sound goes on alone.
    const awaited = hasVideo && expectVideo && (playing === "both" || (playing === "none" && !hasAudio));
    const visible = awaited || playing === "video";
    const lanes = [audible ? stored.audio : null, visible ? stored.video : null].filter((lane) => lane !== null);
    return overHole({ headMs, enoughMs: ENOUGH_MS, epoch, lanes });
  }

  /** @param {number} toMs stored */
  place(toMs) {
    this.latency.lookAnew();
    this.look(true);
    if (this.buffers.playing === "none" || this.video.readyState === 0) this.targetMs = toMs;
    else this.video.currentTime = toMs / 1000 + 0.01;
  }

  /** @param {number} now */
  countStall(now) {
    const stalled = this.stalledAt > 0 && now - this.stalledAt > STALL_MS;
    if (stalled && !this.stallCounted) this.latency.stalled(now);
    this.stallCounted = stalled;
  }

  /**
   * A class without a microphone has a lane for sound in which nothing comes.
   * @param {{ hasAudio: boolean, hasVideo: boolean, expectVideo: boolean }} expected
   */
  withoutSilence(expected) {
    const { audio, video } = this.session.lanes;
    const now = performance.now();
    const silent = video.newest !== null && (audio.newest?.endMs ?? 0) < video.newest.endMs - SILENT_MS;
    if (!silent) this.silentSince = 0;
    else this.silentSince ||= now;
    const hasAudio = expected.hasAudio && !(silent && now - this.silentSince > SILENT_MS);
    return { ...expected, hasAudio };
  }

  /**
   * The rungs with what an hour of them costs.
   * @param {(kind: string, height: number) => string} name
   */
  rungs(name) {
    const { duration_ms = 0, rungs = [] } = this.session.ladder ?? {};
    return rungs.map(({ id, video, bytes }) => {
      const picture = this.session.rendition(video);
      const words = name(picture?.kind ?? "audio", picture?.height ?? 0);
      return { id, name: words, bytes: duration_ms > 0 ? (bytes / duration_ms) * 3_600_000 : 0 };
    });
  }

  draw() {
    super.draw();
    this.user?.drawn();
  }
}
