// @ts-check
/**
 * For browsers without encoders of their own for the page: MediaRecorder. Its container has one
 * header, at its begin, so every connection gets a new recorder, which is a new run.
 */

import { makeUuid } from "../player/evidence.js";
import { GRID_MS, KIND, MOST_PARCEL_BYTES, STEPS, firstStep } from "./publish_flow.js";
import { loudness } from "./microphone.js";

/** Browsers give parts at least this long for mp4, and roughly this long for webm. */
const SLICE_MS = 500;
/** A container cannot leave pictures out: waiting longer than this, it begins anew with fewer bits. */
const LATE_MS = 6000;

export class RecorderMaker {
  /**
   * @param {MediaStream} stream
   * @param {import("./publish_wire.js").Wish} wish
   * @param {string} container
   * @param {import("./publish_link.js").PublishLink} link
   * @param {(error: unknown) => void} fault
   */
  constructor(stream, wish, container, link, fault) {
    this.kind = /** @type {const} */ ("container");
    this.container = container;
    this.stream = stream;
    this.link = link;
    this.fault = fault;
    this.step = firstStep(wish.uplinkKbit);
    /** @type {MediaRecorder | null} */
    this.recorder = null;
    /** Parts are read one after the other, in order. */
    this.reading = Promise.resolve();
    /** @type {AnalyserNode | null} */
    this.analyser = null;
    /** @type {AudioContext | null} */
    this.context = null;
  }

  async start() {
    if (this.stream.getAudioTracks().length === 0) return;
    this.context = new AudioContext();
    this.analyser = this.context.createAnalyser();
    this.context.createMediaStreamSource(this.stream).connect(this.analyser);
  }

  run() {
    return { id: makeUuid(), kind: this.kind, container: this.container };
  }

  opened() {
    this.end();
    const options = {
      mimeType: this.container,
      videoBitsPerSecond: (STEPS[this.step]?.kbit ?? 250) * 1000,
      audioBitsPerSecond: 24_000,
      // An mp4 is handed out by groups of pictures: left alone, Chrome makes them several seconds long.
      videoKeyFrameIntervalDuration: GRID_MS,
    };
    const recorder = new MediaRecorder(this.stream, options);
    this.recorder = recorder;
    recorder.ondataavailable = ({ data }) => {
      this.reading = this.reading.then(() => this.part(recorder, data)).catch(this.fault);
    };
    recorder.onerror = (event) => this.fault(Reflect.get(event, "error"));
    recorder.start(SLICE_MS);
  }

  /** @param {MediaRecorder} recorder @param {Blob} blob */
  async part(recorder, blob) {
    const data = new Uint8Array(await blob.arrayBuffer());
    // Of an earlier recorder: its header went over another connection.
    if (recorder !== this.recorder) return;
    for (let from = 0; from < data.length; from += MOST_PARCEL_BYTES) {
      const piece = data.subarray(from, from + MOST_PARCEL_BYTES);
      this.link.parcel({ kind: KIND.container, key: false, timestampUs: 0, data: piece });
    }
    if (this.link.uplink().ageMs > LATE_MS && this.step > 0) {
      this.step -= 1;
      this.link.drop();
    }
  }

  lost() {
    this.end();
  }

  end() {
    const { recorder } = this;
    this.recorder = null;
    if (recorder && recorder.state !== "inactive") recorder.stop();
  }

  wantKey() {
    // A recorder chooses its keyframes itself.
  }

  /** @param {boolean} on */
  mute(on) {
    for (const track of this.stream.getAudioTracks()) track.enabled = !on;
  }

  /** @param {boolean} on */
  hide(on) {
    for (const track of this.stream.getVideoTracks()) track.enabled = !on;
  }

  level() {
    if (!this.analyser) return 0;
    const samples = new Float32Array(this.analyser.fftSize);
    this.analyser.getFloatTimeDomainData(samples);
    return loudness(samples);
  }

  /** Camera and microphone stay open: they are the desk's. */
  stop() {
    this.end();
    void this.context?.close();
  }
}
