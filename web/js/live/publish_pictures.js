// @ts-check
/** The frames of a camera or screen, by whatever this browser has for that. */

/** Without a callback for each frame: often enough for the fastest rate that is sent. */
const POLL_MS = 50;

/**
 * @param {MediaStreamTrack} track
 * @param {(frame: VideoFrame) => void} take must close it
 * @returns {() => undefined} stops
 */
export function frames(track, take) {
  return "MediaStreamTrackProcessor" in globalThis ? byProcessor(track, take) : byElement(track, take);
}

/** @param {MediaStreamTrack} track @param {(frame: VideoFrame) => void} take @returns {() => undefined} */
function byProcessor(track, take) {
  const reader = new MediaStreamTrackProcessor({ track, maxBufferSize: 2 }).readable.getReader();
  let stopped = false;
  const read = async () => {
    for (;;) {
      const { done, value } = await reader.read();
      if (done || stopped) {
        value?.close();
        return;
      }
      take(value);
    }
  };
  read().catch(() => undefined);
  return () => {
    stopped = true;
    void reader.cancel().catch(() => undefined);
  };
}

/** @param {MediaStreamTrack} track @param {(frame: VideoFrame) => void} take @returns {() => undefined} */
function byElement(track, take) {
  const video = document.createElement("video");
  video.muted = true;
  video.playsInline = true;
  video.srcObject = new MediaStream([track]);
  void video.play();
  const canvas = document.createElement("canvas");
  const grab = () => {
    if (video.videoWidth === 0) return;
    Object.assign(canvas, { width: video.videoWidth, height: video.videoHeight });
    canvas.getContext("2d", { alpha: false })?.drawImage(video, 0, 0);
    take(new VideoFrame(canvas, { timestamp: performance.now() * 1000 }));
  };
  let stopped = false;
  let timer = 0;
  const next = () => {
    if (stopped) return;
    grab();
    video.requestVideoFrameCallback(next);
  };
  if ("requestVideoFrameCallback" in video) video.requestVideoFrameCallback(next);
  else timer = setInterval(grab, POLL_MS);
  return () => {
    stopped = true;
    clearInterval(timer);
    video.srcObject = null;
  };
}
