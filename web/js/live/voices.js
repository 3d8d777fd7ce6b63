// @ts-check
/** Learners who have the floor, as whoever teaches hears them: without the class's delay. */

/** Before a voice begins, so that a trembling link does not tear it, seconds. */
const CUSHION_S = 0.12;
/** A voice that is further ahead came in a flood after a stall. */
const MOST_AHEAD_S = 3;
const PACKET_US = 60_000;

/** @typedef {{ decoder: AudioDecoder, next: number, stampUs: number }} Voice */

export class Voices {
  constructor() {
    /** @type {AudioContext | null} */
    this.context = null;
    /** @type {Map<number, Voice>} */
    this.voices = new Map();
  }

  /** @param {number} speaker @param {Uint8Array<ArrayBuffer>} data a packet of Opus */
  hear(speaker, data) {
    if (!("AudioDecoder" in globalThis)) return;
    const known = this.voices.get(speaker);
    const voice = known?.decoder.state === "configured" ? known : this.open(speaker);
    const chunk = new EncodedAudioChunk({ type: "key", timestamp: voice.stampUs, data });
    voice.stampUs += PACKET_US;
    voice.decoder.decode(chunk);
  }

  /** @param {number} speaker @returns {Voice} */
  open(speaker) {
    this.context ??= new AudioContext({ latencyHint: "interactive" });
    void this.context.resume();
    /** @type {Voice} */
    const voice = {
      decoder: new AudioDecoder({ output: (data) => this.play(voice, data), error: console.error }),
      next: 0,
      stampUs: 0,
    };
    voice.decoder.configure({ codec: "opus", sampleRate: 48_000, numberOfChannels: 1 });
    // One speaks after the other: what belonged to earlier ones is let go.
    for (const [id, { decoder, next }] of this.voices) {
      if (next > this.context.currentTime) continue;
      if (decoder.state === "configured") decoder.close();
      this.voices.delete(id);
    }
    this.voices.set(speaker, voice);
    return voice;
  }

  /** @param {Voice} voice @param {AudioData} data */
  play(voice, data) {
    const { context } = this;
    const ahead = context ? voice.next - context.currentTime : 0;
    if (context && ahead < MOST_AHEAD_S) {
      const buffer = context.createBuffer(1, data.numberOfFrames, data.sampleRate);
      data.copyTo(buffer.getChannelData(0), { planeIndex: 0, format: "f32-planar" });
      const source = context.createBufferSource();
      source.buffer = buffer;
      source.connect(context.destination);
      const at = ahead > 0 ? voice.next : context.currentTime + CUSHION_S;
      source.start(at);
      voice.next = at + buffer.duration;
    }
    data.close();
  }
}
