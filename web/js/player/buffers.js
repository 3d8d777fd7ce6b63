// @ts-check
/** Feeds the media element from the store through Media Source Extensions, one buffer per lane. */

/** @typedef {import("./types.js").LaneName} LaneName */
/** @typedef {import("./types.js").Sink} Sink */

/** Kept behind the play head for a step back without the link. */
const KEEP_BEHIND_MS = 20_000;
/** Handed to the browser ahead of the play head; the store holds the rest. */
const APPEND_AHEAD_MS = 60_000;
/** How long a class may become, seconds: behind the end of a source nobody can seek, and one without an end has it
 * where nothing more is stored. */
const ENDLESS_S = 2 ** 32;
/** Removal ends this much before a keyframe, so that rounding never reaches into its group. */
const REMOVE_MARGIN_MS = 40;

/** ManagedMediaSource (iPhone, iOS 17.1) has the same shape and says when it wants data. */
const Source =
  globalThis.MediaSource ??
  /** @type {typeof MediaSource | undefined} */ (Reflect.get(globalThis, "ManagedMediaSource"));

/** @param {string} mime */
export function canPlay(mime) {
  return Source !== undefined && Source.isTypeSupported(mime);
}

export class Buffers {
  /**
   * @param {HTMLVideoElement} video
   * @param {Record<LaneName, import("./store.js").Lane>} lanes
   * @param {(rendition: number) => string} codecOf
   * @param {() => void} faulted the element must be fed anew
   */
  constructor(video, lanes, codecOf, faulted) {
    this.video = video;
    this.lanes = lanes;
    this.codecOf = codecOf;
    this.faulted = faulted;
    /** @type {import("./types.js").Lanes} */
    this.playing = "none";
    /** @type {MediaSource | null} */
    this.source = null;
    /** @type {Sink[]} */
    this.sinks = [];
    this.wanted = true;
    this.url = "";
    this.durationMs = 0;
  }

  /**
   * Starts a fresh media source with these lanes at this position.
   * @param {"audio" | "video" | "both"} playing
   * @param {number} atMs
   * @param {number} durationMs 0 while a live timeline grows
   */
  open(playing, atMs, durationMs) {
    if (!Source) return;
    this.playing = playing;
    this.sinks = [];
    this.durationMs = durationMs;
    const source = new Source();
    this.source = source;
    this.wanted = !("ManagedMediaSource" in globalThis && !globalThis.MediaSource);
    for (const lane of Object.values(this.lanes)) {
      for (const chunk of lane.chunks) chunk.appended = false;
    }
    source.addEventListener("startstreaming", () => this.want(source, true));
    source.addEventListener("endstreaming", () => this.want(source, false));
    source.addEventListener("sourceopen", () => this.opened(source), { once: true });
    if (!globalThis.MediaSource) this.video.disableRemotePlayback = true;
    if (this.url) URL.revokeObjectURL(this.url);
    this.url = URL.createObjectURL(source);
    this.video.src = this.url;
    this.video.currentTime = atMs / 1000;
  }

  /** @param {MediaSource} source @param {boolean} wanted */
  want(source, wanted) {
    if (source !== this.source) return;
    this.wanted = wanted;
    this.feed();
  }

  /** @param {MediaSource} source */
  opened(source) {
    if (source !== this.source) return;
    source.duration = this.durationMs > 0 ? this.durationMs / 1000 : ENDLESS_S;
    for (const name of /** @type {LaneName[]} */ (["audio", "video"])) {
      if (this.playing !== "both" && this.playing !== name) continue;
      const rendition = this.lanes[name].next(this.headMs())?.rendition;
      if (rendition === undefined) continue;
      const mime = this.mimeOf(name, rendition);
      if (!canPlay(mime)) return this.faulted();
      const buffer = source.addSourceBuffer(mime);
      buffer.addEventListener("updateend", () => this.feed());
      buffer.addEventListener("error", () => source === this.source && this.faulted());
      this.sinks.push({ buffer, name, mime, rendition: -1 });
    }
    this.feed();
  }

  /** @param {LaneName} name @param {number} rendition */
  mimeOf(name, rendition) {
    return `${name}/mp4; codecs="${this.codecOf(rendition)}"`;
  }

  /** Gives every idle buffer its next part; called at arrivals, `updateend` and `timeupdate`. */
  feed() {
    const source = this.source;
    if (!source || source.readyState === "closed" || !this.wanted) return;
    for (const sink of this.sinks) {
      if (!sink.buffer.updating && !this.evict(sink, KEEP_BEHIND_MS)) this.append(sink);
    }
    this.finish(source);
  }

  /** @param {Sink} sink */
  append(sink) {
    const headMs = this.headMs();
    const chunk = this.lanes[sink.name].next(headMs);
    if (!chunk || chunk.startMs > headMs + APPEND_AHEAD_MS) return;
    const init = this.lanes[sink.name].inits.get(chunk.rendition);
    const change = sink.rendition !== chunk.rendition;
    // Without its init segment a chunk is noise: the server sends it first, so it is on its way.
    if (change && !init) return;
    try {
      if (change && init) {
        const mime = this.mimeOf(sink.name, chunk.rendition);
        // Browsers without `changeType` take another profile of the same codec all the same.
        if (mime !== sink.mime) sink.buffer.changeType?.(mime);
        sink.mime = mime;
        sink.buffer.appendBuffer(init);
        sink.rendition = chunk.rendition;
      } else {
        sink.buffer.appendBuffer(chunk.payload);
        chunk.appended = true;
      }
    } catch (error) {
      // Full: give up what lies behind, else wait until some was played.
      if (error instanceof DOMException && error.name === "QuotaExceededError") {
        if (!this.evict(sink, 2000)) this.remove(sink, headMs + APPEND_AHEAD_MS, Infinity);
      } else if (error instanceof DOMException) {
        this.faulted();
      } else {
        throw error;
      }
    }
  }

  /** @param {Sink} sink @param {number} keepMs @returns {boolean} whether a removal has begun */
  evict(sink, keepMs) {
    const start = this.lanes[sink.name].segmentStart(this.headMs() - keepMs);
    return start !== undefined && this.remove(sink, 0, start);
  }

  /**
   * Takes media back from the browser; the store keeps it for a step back.
   * @param {Sink} sink @param {number} fromMs @param {number} untilMs where a segment starts
   */
  remove(sink, fromMs, untilMs) {
    const { buffered } = sink.buffer;
    const until = (untilMs - REMOVE_MARGIN_MS) / 1000;
    const last = buffered.length - 1;
    if (last < 0 || buffered.start(0) >= until || buffered.end(last) <= fromMs / 1000) return false;
    for (const chunk of this.lanes[sink.name].chunks) {
      if (chunk.startMs < untilMs && chunk.endMs > fromMs) chunk.appended = false;
    }
    sink.buffer.remove(fromMs / 1000, until);
    return true;
  }

  /** @param {MediaSource} source */
  finish(source) {
    const headMs = this.headMs();
    const done = this.sinks.every(({ buffer, name }) => {
      const lane = this.lanes[name];
      return !buffer.updating && lane.complete(headMs) && !lane.next(headMs);
    });
    if (this.sinks.length > 0 && done && source.readyState === "open") source.endOfStream();
  }

  headMs() {
    return this.video.currentTime * 1000;
  }

  /**
   * The store has what the head needs but the element has not: the phone took it away, or a hole
   * is in the way. Appends again, or jumps.
   * @returns {"jumped" | "again" | "nothing"}
   */
  unstick() {
    const head = this.video.currentTime;
    const { buffered } = this.video;
    for (let index = 0; index < buffered.length; index += 1) {
      const start = buffered.start(index);
      if (start > head && start - head < 0.5) {
        this.video.currentTime = start + 0.01;
        return "jumped";
      }
      if (start <= head && buffered.end(index) > head + 0.1) return "nothing";
    }
    let again = false;
    for (const sink of this.sinks) {
      const lane = this.lanes[sink.name];
      if (lane.aheadMs(head * 1000) === 0) continue;
      const from = lane.segmentStart(head * 1000 + 1) ?? Infinity;
      if (sink.buffer.updating || isBuffered(sink.buffer, head)) continue;
      for (const chunk of lane.chunks) {
        if (chunk.startMs < from || !chunk.appended) continue;
        chunk.appended = false;
        again = true;
      }
    }
    if (again) this.feed();
    return again ? "again" : "nothing";
  }

  /** Forgets the media; the element keeps its last picture. */
  clear() {
    this.source = null;
    this.sinks = [];
    this.playing = "none";
  }
}

/** @param {SourceBuffer} buffer @param {number} at seconds */
function isBuffered(buffer, at) {
  for (let index = 0; index < buffer.buffered.length; index += 1) {
    if (buffer.buffered.start(index) <= at + 0.3 && buffer.buffered.end(index) > at) return true;
  }
  return false;
}
