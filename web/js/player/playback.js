// @ts-check
/** One lesson being played: joins the session, the buffers, the evidence and the controls. */

import { Buffers } from "./buffers.js";
import { Controls, megabytes } from "./controls.js";
import { Meter, Outbox } from "./evidence.js";
import { Session } from "./session.js";
import { chooseLanes } from "./store.js";

const TICK_MS = 250;
/** A start this near to the end begins anew. */
const NEAR_END_MS = 3000;
/** The very end holds no frame to show. */
const LAST_SEEK_MS = 500;
const KEEP_POSITION_MS = 5000;
/** Shorter cuts and stalls are not worth a word. */
const PATIENCE_MS = 1200;
const NOTICE_MS = 4000;
/** A decoder that fails this often in a row will not recover. */
const MOST_FAULTS = 4;

export class Playback {
  /** @param {HTMLElement} section @param {HTMLVideoElement} video */
  constructor(section, video) {
    const { timeline = "", stream = "/stream", learner = "" } = section.dataset;
    this.section = section;
    this.video = video;
    this.durationMs = Number(section.dataset.durationMs ?? 0);
    const storage = openStorage();
    const scope = `${learner}.${timeline}`;
    this.session = new Session(
      { url: streamUrl(stream), timeline, scope },
      new Outbox(storage, scope),
      storage,
      {
        headMs: () => this.headMs(),
        paused: () => !this.wanted,
        arrived: () => this.tick(),
        welcomed: () => this.welcomed(),
        state: (state) => this.linkState(state),
        problem: (code) => this.problem(code),
        notCounted: () => this.notice("not-counted"),
      },
    );
    this.meter = new Meter((interval) => this.session.played(interval));
    this.buffers = new Buffers(
      video,
      this.session.lanes,
      (rendition) => this.session.codecOf(rendition),
      () => this.fault(),
    );
    this.controls = new Controls(section, video, {
      toggle: () => this.toggle(),
      seek: (toMs) => this.seek(toMs),
      pin: (rung) => this.session.pin(rung),
      budget: (bytes) => this.session.budget(bytes),
    });
    /** What the learner asked for; the element may be paused by a change of lanes. */
    this.wanted = false;
    /** Where to be once the element knows its media. */
    this.targetMs = this.firstPosition();
    this.linked = false;
    this.lostAt = 0;
    /** Something worth saying once, and until when. */
    this.said = { key: "", untilMs: 0 };
    this.stalledAt = 0;
    this.waitingSince = 0;
    this.drops = 0;
    this.faults = 0;
    this.keptAt = 0;
    this.code = "";
  }

  mount() {
    this.controls.mount();
    // The sources would load by themselves; they are for players without media source.
    for (const source of this.video.querySelectorAll("source")) source.remove();
    const { video } = this;
    /** @type {[string, () => void][]} */
    const events = [
      ["timeupdate", () => this.look()],
      ["playing", () => this.look()],
      ["waiting", () => this.look(true)],
      ["seeking", () => this.meter.close()],
      ["emptied", () => this.meter.close()],
      ["ratechange", () => this.look(true)],
      ["pause", () => this.paused()],
      ["play", () => undefined],
      ["ended", () => this.session.acknowledge()],
    ];
    for (const [name, act] of events) {
      video.addEventListener(name, () => {
        act();
        this.tick();
      });
    }
    video.addEventListener("error", () => this.buffers.playing !== "none" && this.fault());
    addEventListener("pagehide", () => this.hide());
    addEventListener("pageshow", () => this.session.link.retryNow());
    document.addEventListener("visibilitychange", () => this.seen());
    this.draw();
  }

  /** @returns {number} */
  headMs() {
    return this.targetMs ?? this.video.currentTime * 1000;
  }

  firstPosition() {
    const kept = this.session.recall("position") ?? this.section.dataset.positionMs;
    const at = Number(kept ?? 0);
    const tooLate = this.durationMs > 0 && at > this.durationMs - NEAR_END_MS;
    return /** @type {number | null} */ (tooLate || !(at > 0) ? 0 : at);
  }

  toggle() {
    if (this.wanted) {
      this.wanted = false;
      this.video.pause();
    } else {
      this.wanted = true;
      this.begin();
      if (this.video.ended) this.seek(0);
      // Called inside the gesture even without media: iPhones ask for that once.
      this.play();
    }
    this.tick();
    this.session.acknowledge();
  }

  /** Nothing is fetched before the learner asks: data is prepaid. */
  begin() {
    if (this.timer) return;
    this.session.start();
    this.timer = setInterval(() => this.tick(), TICK_MS);
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
    this.draw();
  }

  /** @param {number} wishMs */
  seek(wishMs) {
    const toMs = Math.max(0, Math.min(wishMs, (this.durationMs || Infinity) - LAST_SEEK_MS));
    this.look(true);
    const { audio, video } = this.session.lanes;
    const stored = (/** @type {import("./store.js").Lane} */ lane) =>
      lane.chunks.length === 0 || lane.aheadMs(toMs) > 1000;
    const near = this.buffers.playing !== "none" && stored(audio) && stored(video);
    if (this.buffers.playing === "none" || this.video.readyState === 0) {
      this.targetMs = toMs;
    }
    if (this.buffers.playing !== "none") this.video.currentTime = toMs / 1000;
    this.begin();
    if (!near) this.session.seek(toMs);
    this.keepPosition(toMs);
    this.tick();
  }

  /** @param {boolean} [stop] it no longer plays from here on */
  look(stop = false) {
    this.meter.look(this.video, performance.now());
    if (stop) this.meter.close();
  }

  welcomed() {
    this.durationMs = this.session.durationMs;
    this.draw();
  }

  /** @param {"connecting" | "open" | "lost"} state */
  linkState(state) {
    const open = state === "open";
    const now = performance.now();
    if (open && this.lostAt && now - this.lostAt > PATIENCE_MS) this.notice("restored");
    if (open) this.lostAt = 0;
    else if (state === "lost" && !this.lostAt) this.lostAt = now;
    this.linked = open;
    this.draw();
  }

  /** @param {string} key */
  notice(key) {
    this.said = { key, untilMs: performance.now() + NOTICE_MS };
    this.draw();
  }

  /** @param {string} code */
  problem(code) {
    this.code = code;
    this.draw();
  }

  fault() {
    this.meter.close();
    this.faults += 1;
    if (this.faults > MOST_FAULTS) {
      this.problem("decode");
      return;
    }
    this.targetMs = this.headMs();
    this.buffers.clear();
  }

  tick() {
    if (!this.timer) return this.draw();
    const now = performance.now();
    this.chooseLanes(now);
    if (this.targetMs !== null && this.video.readyState > 0) {
      if (Math.abs(this.video.currentTime * 1000 - this.targetMs) > 500) {
        this.video.currentTime = this.targetMs / 1000;
      }
      this.targetMs = null;
    }
    this.buffers.feed();
    this.session.prune(this.headMs(), this.buffers.playing);
    this.keepGoing(now);
    if (now - this.keptAt > KEEP_POSITION_MS) this.keepPosition(this.headMs());
    this.draw();
  }

  /** @param {number} now */
  chooseLanes(now) {
    const { session, buffers } = this;
    const headMs = this.headMs();
    const audioMs = session.lanes.audio.aheadMs(headMs);
    if (audioMs > 0 && !this.waitingSince) this.waitingSince = now;
    const lanes = chooseLanes({
      current: buffers.playing,
      ...session.expected(),
      audioMs,
      videoMs: session.lanes.video.aheadMs(headMs),
      waitedMs: this.waitingSince ? now - this.waitingSince : 0,
      drops: this.drops,
      nearEnd: this.durationMs > 0 && this.durationMs - headMs < 5000,
    });
    if (lanes === "none" || lanes === buffers.playing) return;
    if (buffers.playing === "both") this.drops += 1;
    this.look(true);
    this.targetMs = headMs;
    buffers.open(lanes, headMs, this.durationMs);
    this.section.dataset.lanes = lanes;
  }

  /** Plays when it should, and helps the element over holes. @param {number} now */
  keepGoing(now) {
    const { video } = this;
    if (this.buffers.playing === "none" || !this.wanted || video.ended) {
      this.stalledAt = 0;
      return;
    }
    if (video.paused) this.play();
    if (video.readyState > 2) {
      this.stalledAt = 0;
      this.faults = 0;
    } else {
      this.stalledAt ||= now;
      if (now - this.stalledAt > TICK_MS) this.buffers.unstick();
    }
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

  draw() {
    const { controls, session } = this;
    const headMs = this.headMs();
    controls.playing(this.wanted && !this.video.ended);
    controls.time(headMs, this.durationMs);
    if (!this.timer) return;
    const aheadMs = this.storedMs();
    controls.show("ahead", controls.say("ahead", { seconds: Math.floor(aheadMs / 1000) }));
    controls.show("used", controls.say("used", { mb: megabytes(session.usedBytes) }));
    const rungs = session.rungs(headMs, (kind, height) => controls.say(`rung-${kind}`, { height }));
    controls.rungs(rungs);
    const rung = rungs.find((each) => each.id === session.rung);
    controls.show("rung", rung ? controls.say("rung-now", { rung: rung.name }) : "");
    const status = this.status(aheadMs);
    if (status !== this.section.dataset.status) {
      controls.status(status, { seconds: Math.floor(aheadMs / 1000), code: this.code });
    }
  }

  storedMs() {
    const { audio, video } = this.session.lanes;
    const headMs = this.headMs();
    const { playing } = this.buffers;
    const lanes = playing === "audio" ? [audio] : playing === "video" ? [video] : [audio, video];
    return Math.min(...lanes.map((lane) => lane.aheadMs(headMs)));
  }

  /** @param {number} aheadMs @returns {string} the key of what is worth saying now */
  status(aheadMs) {
    const now = performance.now();
    if (this.code) return "problem";
    if (this.video.ended) return "ended";
    if (this.lostAt && now - this.lostAt > PATIENCE_MS) return aheadMs > 1000 ? "lost" : "lost-empty";
    if (this.session.budgetReached) return "budget-reached";
    if (!this.linked && !this.lostAt) return "connecting";
    if (this.stalledAt && now - this.stalledAt > PATIENCE_MS) return "waiting";
    return now < this.said.untilMs ? this.said.key : "";
  }
}

/** @param {string} path */
function streamUrl(path) {
  const url = new URL(path, location.href);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url.href;
}

/** @returns {Storage | null} null where the browser forbids it */
function openStorage() {
  try {
    return globalThis.localStorage;
  } catch {
    return null;
  }
}
