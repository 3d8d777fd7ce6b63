// @ts-check
/** Which encoders there are, and how they are set. Pure but for the questions to the browser. */

/** Levels of H.264 (Table A-1): macroblocks of a frame, and a second. A phone refuses one too low. */
const LEVELS = [
  { level: 30, frame: 1620, second: 40_500 },
  { level: 31, frame: 3600, second: 108_000 },
  { level: 32, frame: 5120, second: 216_000 },
  { level: 40, frame: 8192, second: 245_760 },
  { level: 51, frame: 36_864, second: 983_040 },
];

/**
 * Constrained baseline in the lowest level that holds it.
 * @param {number} width
 * @param {number} height
 * @param {number} fps
 */
export function h264(width, height, fps) {
  const blocks = Math.ceil(width / 16) * Math.ceil(height / 16);
  const fits = LEVELS.find(({ frame, second }) => blocks <= frame && blocks * fps <= second);
  return `avc1.42e0${(fits?.level ?? 52).toString(16).padStart(2, "0")}`;
}

/**
 * The largest even size of this shape within a box; never larger than the picture itself.
 * @param {number} width @param {number} height @param {{ width: number, height: number }} box
 */
export function fitInto(width, height, box) {
  const scale = Math.min(1, box.width / width, box.height / height);
  const even = (/** @type {number} */ value) => Math.max(2, Math.floor((value * scale) / 2 + 1e-6) * 2);
  return { width: even(width), height: even(height) };
}

/** Learners get 640 × 360 at most; letters of a screen gain from being made small once, with care. */
export const BOXES = { camera: { width: 640, height: 360 }, screen: { width: 960, height: 540 } };

/**
 * @param {{ width: number, height: number }} size
 * @param {{ kbit: number, fps: number }} rate
 * @param {"camera" | "screen"} kind
 * @returns {VideoEncoderConfig[]} best first
 */
export function videoChoices(size, rate, kind) {
  const common = {
    ...size,
    bitrate: rate.kbit * 1000,
    framerate: rate.fps,
    latencyMode: /** @type {const} */ ("realtime"),
    bitrateMode: /** @type {const} */ ("variable"),
    contentHint: kind === "screen" ? "detail" : "motion",
  };
  const codec = h264(size.width, size.height, 20);
  return [
    { ...common, codec, avc: { format: "annexb" } },
    { ...common, codec: "vp8" },
  ];
}

/** @type {AudioEncoderConfig} */
export const VOICE = {
  codec: "opus",
  sampleRate: 48_000,
  numberOfChannels: 1,
  bitrate: 24_000,
  opus: /** @type {OpusEncoderConfig} */ ({ application: "voip", frameDuration: 20_000 }),
};

/** Containers of MediaRecorder, best first: mp4 is what Safari has, webm what the others had first. */
export const CONTAINERS = [
  "video/mp4;codecs=avc1.42e01e,opus",
  "video/mp4;codecs=avc1.42E01E,mp4a.40.2",
  "video/mp4",
  "video/webm;codecs=h264,opus",
  "video/webm;codecs=vp8,opus",
  "video/webm",
];
export const VOICE_CONTAINERS = [
  "audio/mp4;codecs=opus",
  "audio/mp4",
  "audio/webm;codecs=opus",
  "audio/webm",
];

/** @param {VideoEncoderConfig[]} choices @returns {Promise<VideoEncoderConfig | null>} */
export async function supportedVideo(choices) {
  for (const choice of choices) {
    const { supported } = await VideoEncoder.isConfigSupported(choice).catch(() => ({ supported: false }));
    if (supported) return choice;
  }
  return null;
}

/** Whether frames can be made here at all. @returns {Promise<boolean>} */
export async function canEncodeVoice() {
  if (!("AudioEncoder" in globalThis) || !("AudioWorkletNode" in globalThis)) return false;
  const { supported } = await AudioEncoder.isConfigSupported(VOICE).catch(() => ({ supported: false }));
  return supported === true;
}

/** @param {boolean} voice without pictures @returns {string | null} */
export function container(voice) {
  if (!("MediaRecorder" in globalThis)) return null;
  const list = voice ? VOICE_CONTAINERS : CONTAINERS;
  return list.find((mime) => MediaRecorder.isTypeSupported(mime)) ?? null;
}

/** @param {AllowSharedBufferSource | undefined} source @returns {string | null} */
export function base64(source) {
  if (!source) return null;
  const bytes = ArrayBuffer.isView(source)
    ? new Uint8Array(source.buffer, source.byteOffset, source.byteLength)
    : new Uint8Array(source);
  return btoa(String.fromCharCode(...bytes));
}
