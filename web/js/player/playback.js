// @ts-check
/** One lesson being played: joins the session, the buffers, the evidence and the controls. */

import { Buffers } from "./buffers.js";
import { Controls, stateOf, statusOf } from "./controls.js";
import { Meter, Outbox, openShelf } from "./evidence.js";
import { Session } from "./session.js";
import { chooseLanes } from "./store.js";

const TICK_MS = 250;
/** A start this near to the end begins anew. */
const NEAR_END_MS = 3000;
/** The very end holds no frame to show. */
const LAST_SEEK_MS = 500;
/** This near to what is not prepared yet, it is what is waited for. */
const EDGE_MS = 2000;
const KEEP_POSITION_MS = 5000;
const NOTICE_MS = 4000;
/** Shorter cuts are not worth a word when they are over. */
const PATIENCE_MS = 1200;
/** A decoder that fails this often in a row will not recover. */
const MOST_FAULTS = 4;

export class Playback {
  /** @param {HTMLElement} section @param {HTMLVideoElement} video */
  constructor(section, video) {
    const { timeline = "", stream = "/stream", learner = "" } = section.dataset;
    this.section = section;
    this.video = video;
    this.durationMs = Number(section.dataset.durationMs ?? 0);
    /** What is shown begins here. */
    this.fromMs = Number(section.dataset.fromMs ?? 0);
    const outbox = new Outbox(learner, timeline, openShelf());
    this.session = new Session(streamUrl(stream), outbox, {
      headMs: () => this.headMs(),
      storedMs: () => this.storedMs(),
      paused: () => !this.wanted,
      arrived: () => this.tick(),
      changed: () => this.changed(),
      linked: (state) => this.linked(state),
      problem: (code) => (this.code = code),
      notice: (key) => this.notice(key),
      completed: (course) => this.completed(course),
      live: () => this.wish(),
      other: (message) => this.other(message),
    });
    this.meter = new Meter((interval) => {
      // Sound may go on for a moment behind the end of the timeline.
      const until_ms = Math.min(interval.until_ms, this.durationMs || Infinity);
      if (interval.from_ms < until_ms) this.session.played({ ...interval, until_ms });
    });
    this.buffers = new Buffers(
      video,
      this.session.lanes,
      (rendition) => this.session.rendition(rendition)?.codec ?? "",
      () => this.fault(),
    );
    this.controls = new Controls(section, video, {
      toggle: () => this.toggle(),
      seek: (toMs) => this.seek(toMs),
      pin: (rung) => this.session.pin(rung),
      budget: (bytes) => this.session.budget(bytes),
    });
    this.still = document.createElement("canvas");
    this.still.className = "player-still";
    this.still.hidden = true;
    this.timer = 0;
    /** What the learner asked for; the element may be paused by a change of lanes. */
    this.wanted = false;
    /** Where to be once the element knows its media, else null. */
    this.targetMs = this.firstPosition();
    this.lostAt = 0;
    this.stalledAt = 0;
    this.waitingSince = 0;
    this.drops = 0;
    this.scarcity = 1;
    this.faults = 0;
    this.keptAt = 0;
    this.code = "";
    this.done = "";
    /** Something worth saying once, and until when. */
    this.said = { key: "", untilMs: 0 };
  }

  mount() {
    this.controls.mount();
    this.session.budgetBytes = this.controls.budget(this.session.budgetBytes);
    const { video } = this;
    const playing = !video.paused;
    // The sources would load by themselves; they are for players without media source.
    for (const source of video.querySelectorAll("source")) source.remove();
    video.load();
    video.after(this.still);
    /** @type {Record<string, () => unknown>} */
    const events = {
      timeupdate: () => this.look(),
      playing: () => this.look(),
      loadeddata: () => video.videoWidth > 0 && (this.still.hidden = true),
      waiting: () => this.look(true),
      seeking: () => this.meter.close(),
      emptied: () => this.meter.close(),
      ratechange: () => this.look(),
      pause: () => this.paused(),
      ended: () => this.session.acknowledge(),
      error: () => this.buffers.playing !== "none" && this.fault(),
    };
    for (const [name, act] of Object.entries(events)) {
      video.addEventListener(name, () => {
        act();
        this.tick();
      });
    }
    addEventListener("pagehide", () => this.hide());
    addEventListener("pageshow", () => this.session.link.retryNow());
    document.addEventListener("visibilitychange", () => this.seen());
    if (playing) this.toggle();
    this.draw();
  }

  /** @returns {number} */
  headMs() {
    return this.targetMs ?? this.video.currentTime * 1000;
  }

  /** How to watch a timeline that still grows; a lesson does not. @returns {import("./protocol.js").LiveWish | null} */
  wish() {
    return null;
  }

  /**
   * What is said beside the media; to a lesson nothing.
   * @param {import("./types.js").OtherMessage} _message
   * @returns {void}
   */
  other(_message) {}

  /** @returns {number | null} */
  firstPosition() {
    const kept = this.session.recall("position") ?? this.section.dataset.positionMs;
    const at = Number(kept ?? 0);
    const tooLate = this.durationMs > 0 && at > this.durationMs - NEAR_END_MS;
    return tooLate || !(at > this.fromMs) ? this.fromMs : at;
  }

  toggle() {
    this.wanted = !this.wanted;
    if (this.wanted) {
      this.begin();
      if (this.video.ended) this.seek(this.fromMs);
      // Called inside the gesture even without media: iPhones ask for that once.
      this.play();
    } else {
      this.video.pause();
    }
    this.tick();
    this.session.acknowledge();
  }

  /** Nothing is fetched before the learner asks: data is prepaid. */
  begin() {
    if (this.timer) return;
    this.timer = setInterval(() => this.tick(), TICK_MS);
    this.session.link.start();
  }

  play() {
    this.video.play().catch((error) => {
      // Aborted by a change of lanes: played again from the tick. Refused by the browser: ask anew.
      if (error.name === "NotAllowedError") this.wanted = false;
      this.draw();
    });
  }

  paused() {
    this.look(true);
    // The system's own pause (a call, a headset's button) is the learner's wish too.
    if (this.video.paused && this.buffers.playing !== "none") this.wanted = false;
    this.session.acknowledge();
  }

  /** @param {number} wishMs */
  seek(wishMs) {
    const toMs = Math.max(this.fromMs, Math.min(wishMs, this.endMs() - LAST_SEEK_MS));
    const { buffers, session, video } = this;
    this.look(true);
    this.drops = 0;
    if (buffers.playing === "none" || video.readyState === 0) this.targetMs = toMs;
    else video.currentTime = toMs / 1000;
    this.begin();
    session.seek(toMs);
    this.keepPosition(toMs);
    this.tick();
  }

  /** @param {boolean} [stop] it no longer plays from here on */
  look(stop = false) {
    this.meter.look(this.video, performance.now());
    if (stop) this.meter.close();
  }

  lengthMs() {
    return this.session.ladder?.duration_ms ?? this.durationMs;
  }

  /** How long it is in the end, 0 while that is not known. */
  finalMs() {
    return this.durationMs;
  }

  /** Nothing can be played from here on, as far as is known. */
  endMs() {
    return this.session.preparedMs ?? (this.durationMs || Infinity);
  }

  changed() {
    this.durationMs = this.lengthMs();
    if (this.targetMs !== null) this.targetMs = Math.min(this.targetMs, this.endMs());
    if (!this.session.expected().expectVideo) this.still.hidden = true;
    this.draw();
  }

  /** @param {import("./types.js").LinkState} state */
  linked(state) {
    const now = performance.now();
    if (state === "open") {
      if (this.lostAt && now - this.lostAt > PATIENCE_MS) this.notice("restored");
      this.lostAt = 0;
    } else if (state === "lost") {
      this.lostAt ||= now;
    }
    this.draw();
  }

  /** @param {string} key */
  notice(key) {
    this.said = { key, untilMs: performance.now() + NOTICE_MS };
  }

  /** @param {boolean} course */
  completed(course) {
    this.done = course ? "completed-course" : "completed-lesson";
    this.controls.offerNext();
  }

  fault() {
    this.meter.close();
    this.faults += 1;
    if (this.faults > MOST_FAULTS) {
      this.code = "decode";
      this.session.link.stop();
    } else {
      this.targetMs = this.headMs();
      this.buffers.clear();
    }
  }

  tick() {
    if (!this.timer || this.code) return this.draw();
    const now = performance.now();
    this.chooseLanes(now);
    if (this.targetMs !== null && this.video.readyState > 0) {
      const offMs = Math.abs(this.video.currentTime * 1000 - this.targetMs);
      if (offMs > 500) this.video.currentTime = this.targetMs / 1000;
      this.targetMs = null;
    }
    this.buffers.feed();
    for (const lane of Object.values(this.session.lanes)) lane.trim(this.headMs());
    this.keepGoing(now);
    if (now - this.keptAt > KEEP_POSITION_MS) this.keepPosition(this.headMs());
    this.draw();
  }

  /** @param {number} now */
  chooseLanes(now) {
    const { session, buffers } = this;
    const headMs = this.headMs();
    const audioMs = session.lanes.audio.aheadMs(headMs);
    if (audioMs > 0) this.waitingSince ||= now;
    const lanes = chooseLanes({
      current: buffers.playing,
      ...session.expected(),
      audioMs,
      videoMs: session.lanes.video.aheadMs(headMs),
      waitedMs: this.waitingSince ? now - this.waitingSince : 0,
      drops: this.drops,
      nearEnd: this.nearEnd(headMs),
      scarcity: this.scarcity,
    });
    if (lanes === "none" || lanes === buffers.playing) return;
    if (buffers.playing === "both") this.drops += 1;
    this.look(true);
    this.freeze();
    this.targetMs = headMs;
    buffers.open(lanes, headMs, this.finalMs());
  }

  /** Little is left to play. @param {number} headMs */
  nearEnd(headMs) {
    return this.durationMs > 0 && this.durationMs - headMs < 5000;
  }

  /** Keeps the last picture on the screen while the element begins anew or has sound alone. */
  freeze() {
    const { video } = this;
    if (this.session.expected().expectVideo && video.videoWidth > 0) {
      this.still.width = video.videoWidth;
      this.still.height = video.videoHeight;
      this.still.getContext("2d")?.drawImage(video, 0, 0);
      this.still.hidden = false;
    }
  }

  /** Plays when it should, and helps the element over holes. @param {number} now */
  keepGoing(now) {
    const { video, buffers } = this;
    if (!this.wanted || video.ended) {
      this.stalledAt = 0;
    } else if (video.readyState > 2) {
      this.stalledAt = 0;
      this.faults = 0;
    } else {
      this.stalledAt ||= now;
      if (now - this.stalledAt > TICK_MS) buffers.unstick();
    }
    if (this.wanted && video.paused && !video.ended && buffers.playing !== "none") this.play();
  }

  /** @param {number} atMs */
  keepPosition(atMs) {
    this.keptAt = performance.now();
    this.session.keep("position", String(Math.round(atMs)));
  }

  seen() {
    if (document.visibilityState === "hidden") this.hide();
    else this.session.link.retryNow();
  }

  /** The page may never come back: hand over what was measured. */
  hide() {
    this.look();
    this.meter.flush();
    if (this.timer) this.keepPosition(this.headMs());
    this.session.acknowledge();
  }

  /** @param {number} [atMs] @returns {number} what the lanes that play have stored from there on */
  storedMs(atMs = this.headMs()) {
    const { audio, video } = this.session.lanes;
    const { playing } = this.buffers;
    const lanes = playing === "audio" ? [audio] : playing === "video" ? [video] : [audio, video];
    return Math.min(...lanes.map((lane) => lane.aheadMs(atMs)));
  }

  /** @returns {import("./types.js").Facts} */
  facts() {
    const now = performance.now();
    return {
      started: this.timer !== 0,
      wanted: this.wanted,
      ended: this.video.ended,
      known: this.session.ladder !== null,
      lostMs: this.lostAt && now - this.lostAt,
      stalledMs: this.stalledAt && now - this.stalledAt,
      storedMs: this.storedMs(),
      budgetReached: this.session.budgetReached,
      atEdge: this.session.preparedMs !== null && this.endMs() - this.headMs() < EDGE_MS,
      problem: this.code,
      notice: now < this.said.untilMs ? this.said.key : "",
      completed: this.done,
    };
  }

  draw() {
    const { controls, session } = this;
    const facts = this.facts();
    controls.state(stateOf(facts), this.wanted && !facts.ended);
    controls.time(this.headMs(), this.durationMs);
    if (!facts.started) return;
    if (facts.known) controls.preparing(session.preparedMs !== null);
    const seconds = Math.floor(facts.storedMs / 1000);
    const rungs = session.rungs((kind, height) => controls.say(`rung-${kind}`, { height }));
    controls.rungs(rungs, session.rung);
    controls.facts(seconds, session.usedBytes, session.watchedPermille);
    controls.status(statusOf(facts), { seconds, code: this.code });
  }
}

/** @param {string} path */
function streamUrl(path) {
  const url = new URL(path, location.href);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url.href;
}
