// @ts-check
/** Camera or screen and voice as encoded frames, by WebCodecs. */

import { makeUuid } from "../player/evidence.js";
import { Microphone, SampleClock } from "./microphone.js";
import { BOXES, VOICE, base64, fitInto, supportedVideo, videoChoices } from "./publish_codec.js";
import { Flow, KIND, firstStep } from "./publish_flow.js";
import { frames } from "./publish_pictures.js";

/** @typedef {import("./publish_wire.js").VideoConfig} VideoConfig */
/** @typedef {import("./publish_wire.js").AudioConfig} AudioConfig */

/** A still screen gives no frames: the last one again, so that there is always a picture. */
const REPEAT_MS = 900;

export class FrameMaker {
  /**
   * @param {MediaStream} stream
   * @param {import("./publish_wire.js").Wish} wish
   * @param {import("./publish_link.js").PublishLink} link
   * @param {(error: unknown) => void} fault nothing can be encoded here
   */
  constructor(stream, wish, link, fault) {
    this.kind = /** @type {const} */ ("frames");
    this.container = null;
    /** One run for the whole class: frames go on after a cut. */
    this.id = makeUuid();
    this.stream = stream;
    /** @type {"camera" | "screen"} */
    this.box = wish.kind === "screen" ? "screen" : "camera";
    this.link = link;
    this.fault = fault;
    this.flow = new Flow(firstStep(wish.uplinkKbit));
    this.configuredStep = -1;
    this.size = { width: 0, height: 0 };
    /** @type {VideoEncoder | null} */
    this.video = null;
    /** @type {VideoEncoderConfig | null} */
    this.choice = null;
    /** @type {VideoConfig | null} */
    this.videoConfig = null;
    /** @type {AudioConfig | null} */
    this.audioConfig = null;
    /** @type {AudioEncoder | null} */
    this.audio = null;
    this.clock = new SampleClock();
    this.microphone = stream.getAudioTracks().length > 0 ? new Microphone(stream) : null;
    /** @type {VideoFrame | null} */
    this.last = null;
    this.lastAt = 0;
    /** @type {HTMLCanvasElement | null} */
    this.canvas = null;
    this.hidden = false;
    this.configuring = false;
    /** What the page's clock shows at time 0 of the class. */
    this.zeroMs = 0;
    this.stopPictures = () => undefined;
    this.timer = 0;
  }

  async start() {
    await this.microphone?.start();
    const [track] = this.stream.getVideoTracks();
    if (track) {
      this.stopPictures = frames(track, (frame) => this.frame(frame));
      this.timer = setInterval(() => this.repeat(), REPEAT_MS / 2);
    }
  }

  run() {
    return { id: this.id, kind: this.kind, container: null };
  }

  /** @param {number} timelineMs */
  opened(timelineMs) {
    this.zeroMs = performance.now() - timelineMs;
    this.flow.reopened();
    // A new connection knows nothing of what the one before was told.
    if (this.audioConfig) this.link.text(this.audioConfig);
    if (this.videoConfig) this.link.text(this.videoConfig);
    if (this.microphone) this.microphone.heard = (samples) => this.sound(samples);
  }

  lost() {
    // What cannot be sent need not be encoded; the times of what follows show the gap.
    if (this.microphone) this.microphone.heard = null;
    if (this.audio?.state === "configured") this.audio.close();
  }

  wantKey() {
    this.flow.wantKey();
  }

  /** @param {boolean} on */
  mute(on) {
    if (this.microphone) this.microphone.muted = on;
  }

  /** @param {boolean} on */
  hide(on) {
    this.hidden = on;
  }

  level() {
    return this.microphone?.level ?? 0;
  }

  /** Camera and microphone stay open: they are the desk's. */
  stop() {
    clearInterval(this.timer);
    this.stopPictures();
    this.microphone?.stop();
    this.last?.close();
    this.last = null;
    for (const encoder of [this.video, this.audio]) if (encoder?.state === "configured") encoder.close();
  }

  /** @param {Float32Array<ArrayBuffer>} samples */
  sound(samples) {
    const timestamp = Math.round(this.clock.stamp(performance.now() * 1000));
    // An encoder counts time on from its first block: behind a gap its sound would be late, and be dropped.
    if (this.clock.jumped) this.endVoice();
    if (this.audio?.state !== "configured") this.audio = this.voice();
    const data = new AudioData({
      format: "f32",
      sampleRate: VOICE.sampleRate,
      numberOfFrames: samples.length,
      numberOfChannels: 1,
      timestamp,
      data: samples,
    });
    this.audio.encode(data);
    data.close();
  }

  /** What it still holds is sent. */
  endVoice() {
    const ended = this.audio;
    this.audio = null;
    // Whoever closed it meanwhile did not want the rest.
    if (ended?.state === "configured") ended.flush().then(() => ended.close(), () => undefined);
  }

  voice() {
    const encoder = new AudioEncoder({
      output: (chunk, about) => {
        if (about?.decoderConfig) this.describeSound(about.decoderConfig);
        this.link.parcel({ kind: KIND.audio, key: true, timestampUs: chunk.timestamp, data: bytes(chunk) });
      },
      error: this.fault,
    });
    encoder.configure(VOICE);
    return encoder;
  }

  /** @param {AudioDecoderConfig} config */
  describeSound(config) {
    this.audioConfig = {
      type: "audio_config",
      codec: "opus",
      sample_rate: config.sampleRate,
      channels: config.numberOfChannels,
      description: base64(config.description),
    };
    this.link.text(this.audioConfig);
  }

  /** @param {VideoFrame} frame taken over */
  frame(frame) {
    this.last?.close();
    this.last = frame;
    this.lastAt = performance.now();
    this.encode(frame);
  }

  repeat() {
    if (this.last && performance.now() - this.lastAt > REPEAT_MS) this.encode(this.last);
  }

  /** @param {VideoFrame} frame */
  encode(frame) {
    if (!this.link.open || this.hidden || this.configuring) return;
    const size = fitInto(frame.displayWidth, frame.displayHeight, BOXES[this.box]);
    const other = size.width !== this.size.width || size.height !== this.size.height;
    if (other || this.video?.state !== "configured") {
      void this.configure(size);
      return;
    }
    const { video } = this;
    const nowMs = performance.now();
    const decided = this.flow.admit(this.link.uplink(), nowMs - this.zeroMs, video.encodeQueueSize);
    if (this.flow.step !== this.configuredStep) this.reconfigure(video);
    if (decided === "skip") return;
    const picture = this.scaled(frame, size, nowMs * 1000);
    video.encode(picture, { keyFrame: decided === "key" });
    picture.close();
  }

  /** @param {VideoFrame} frame @param {{ width: number, height: number }} size @param {number} timestamp µs */
  scaled(frame, size, timestamp) {
    if (frame.displayWidth === size.width && frame.displayHeight === size.height) {
      return new VideoFrame(frame, { timestamp });
    }
    this.canvas ??= document.createElement("canvas");
    const { canvas } = this;
    if (canvas.width !== size.width || canvas.height !== size.height) Object.assign(canvas, size);
    canvas.getContext("2d", { alpha: false })?.drawImage(frame, 0, 0, size.width, size.height);
    return new VideoFrame(canvas, { timestamp });
  }

  /** @param {{ width: number, height: number }} size */
  async configure(size) {
    this.configuring = true;
    try {
      this.choice = await supportedVideo(videoChoices(size, this.flow.now(), this.box));
      if (!this.choice) throw new Error("no encoder for pictures");
      if (this.video?.state === "configured") this.video.close();
      this.size = size;
      this.configuredStep = this.flow.step;
      this.video = new VideoEncoder({
        output: (chunk, about) => this.picture(chunk, about?.decoderConfig),
        error: this.fault,
      });
      this.video.configure(this.choice);
      this.flow.reopened();
    } catch (error) {
      this.fault(error);
    }
    this.configuring = false;
  }

  /** @param {VideoEncoder} video */
  reconfigure(video) {
    if (!this.choice) return;
    const { kbit, fps } = this.flow.now();
    this.choice = { ...this.choice, bitrate: kbit * 1000, framerate: fps };
    this.configuredStep = this.flow.step;
    video.configure(this.choice);
  }

  /** @param {EncodedVideoChunk} chunk @param {VideoDecoderConfig} [config] */
  picture(chunk, config) {
    const key = chunk.type === "key";
    if (config) this.describePicture(config);
    if (!this.flow.pass(key, this.link.uplink())) return;
    this.link.parcel({ kind: KIND.video, key, timestampUs: chunk.timestamp, data: bytes(chunk) });
  }

  /** @param {VideoDecoderConfig} config */
  describePicture(config) {
    /** @type {VideoConfig} */
    const described = {
      type: "video_config",
      codec: config.codec,
      description: base64(config.description),
      width: this.size.width,
      height: this.size.height,
    };
    // Another bit rate is no other stream: the decoder goes on.
    if (JSON.stringify(described) === JSON.stringify(this.videoConfig)) return;
    this.videoConfig = described;
    this.link.text(described);
  }
}

/** @param {EncodedVideoChunk | EncodedAudioChunk} chunk */
function bytes(chunk) {
  const data = new Uint8Array(chunk.byteLength);
  chunk.copyTo(data);
  return data;
}
