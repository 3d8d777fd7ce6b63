// @ts-check
/**
 * Mounts the player on every `<section data-player>`: markup, attributes and words in MOUNT.md.
 *
 * section[data-player]: data-timeline, data-stream, data-duration-ms, data-position-ms, data-learner
 *   video                        fallback; its sources stay unchanged where MSE is missing
 *   template[data-player-controls]
 *     data-do:   toggle back forward seek mute volume full rung budget speed
 *     data-show: captions time rung ahead used status
 *     data-when: paused|playing in toggle, loud|muted in mute
 *   template[data-player-text]   [data-key]: time ahead used rung-now rung-cost rung-audio rung-stills
 *     rung-video connecting waiting lost lost-empty restored budget-reached ended not-counted problem
 *     cannot-prove
 */

import { canPlay } from "./buffers.js";
import { Controls } from "./controls.js";
import { Playback } from "./playback.js";

/** @param {HTMLElement} section */
export function mount(section) {
  const video = section.querySelector("video");
  if (!video) return;
  if (canPlay('video/mp4; codecs="avc1.64001e"') && "WebSocket" in globalThis) {
    new Playback(section, video).mount();
    return;
  }
  // Its own sources play, but nobody can tell what was watched: say so.
  const text = new Controls(section, video, noActions).say("cannot-prove");
  const note = document.createElement("p");
  note.className = "player-status";
  note.textContent = text;
  section.append(note);
}

const nothing = () => undefined;
const noActions = { toggle: nothing, seek: nothing, pin: nothing, budget: nothing };

for (const section of document.querySelectorAll("[data-player]")) {
  if (section instanceof HTMLElement) mount(section);
}
