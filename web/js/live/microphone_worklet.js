// @ts-check
/** Runs beside the page, on the sound's own thread: hands out mono blocks of 20 ms. */

/** Samples of a block at 48 kHz. */
const BLOCK = 960;

class Microphone extends AudioWorkletProcessor {
  constructor() {
    super();
    this.block = new Float32Array(BLOCK);
    this.filled = 0;
  }

  /** @param {Float32Array[][]} inputs */
  process([channels = []]) {
    const [first, ...others] = channels;
    if (!first) return true;
    for (let at = 0; at < first.length; at += 1) {
      let sum = first[at] ?? 0;
      for (const channel of others) sum += channel[at] ?? 0;
      this.block[this.filled] = sum / channels.length;
      this.filled += 1;
      if (this.filled === BLOCK) this.hand();
    }
    return true;
  }

  hand() {
    const { block } = this;
    this.port.postMessage(block, [block.buffer]);
    this.block = new Float32Array(BLOCK);
    this.filled = 0;
  }
}

registerProcessor("microphone", Microphone);
