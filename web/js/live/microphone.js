// @ts-check
/** The microphone as blocks of 20 ms, and how loud it is. */

export const BLOCK_MS = 20;
/** The level falls this slowly, so that an eye can follow it. */
const FALL = 0.85;

export class Microphone {
  /** @param {MediaStream} stream with sound */
  constructor(stream) {
    this.stream = stream;
    /** @type {AudioContext | null} */
    this.context = null;
    this.muted = false;
    /** 0 to 1. */
    this.level = 0;
    /** @type {((samples: Float32Array<ArrayBuffer>) => void) | null} */
    this.heard = null;
  }

  /** Within a touch or a click: phones start no sound without one. */
  async start() {
    // The browser brings every microphone to this rate.
    const context = new AudioContext({ sampleRate: 48_000, latencyHint: "interactive" });
    this.context = context;
    await context.audioWorklet.addModule(new URL("./microphone_worklet.js", import.meta.url));
    const node = new AudioWorkletNode(context, "microphone", { channelCountMode: "max" });
    node.port.onmessage = (event) => this.block(event.data);
    context.createMediaStreamSource(this.stream).connect(node);
    // It stays silent; without a way to the end some browsers would not run it.
    node.connect(context.destination);
    // Where there is no loudspeaker this is never done; pictures and words need not wait for it.
    void context.resume();
  }

  /** @param {Float32Array<ArrayBuffer>} samples */
  block(samples) {
    if (this.muted) samples.fill(0);
    this.level = Math.max(loudness(samples), this.level * FALL);
    this.heard?.(samples);
  }

  stop() {
    this.heard = null;
    void this.context?.close();
    this.context = null;
  }
}

/** @param {Float32Array} samples @returns {number} 0 for silence, 1 for loud, as ears judge it */
export function loudness(samples) {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  const decibels = 10 * Math.log10(sum / Math.max(1, samples.length) + 1e-10);
  return Math.max(0, Math.min(1, (decibels + 60) / 50));
}

/**
 * Times of blocks: counted, because their arrival trembles; set anew when counting and clock part, for
 * the machine slept or the microphone was changed.
 */
export class SampleClock {
  constructor() {
    this.nextUs = NaN;
    /** Whether the last block was the first one behind a gap. */
    this.jumped = false;
  }

  /** @param {number} nowUs @returns {number} time of the block's first sample */
  stamp(nowUs) {
    const startUs = nowUs - BLOCK_MS * 1000;
    this.jumped = !(Math.abs(this.nextUs - startUs) < 200_000);
    if (this.jumped) this.nextUs = startUs;
    const stamp = this.nextUs;
    this.nextUs += BLOCK_MS * 1000;
    return stamp;
  }
}
