// @ts-check
/** Mounts the player on every `<section data-player>`; the page's side of it is in MOUNT.md. */

import { canPlay } from "./buffers.js";
import { Controls } from "./controls.js";
import { Playback } from "./playback.js";
// Named here so that the browser asks for all of them at once: each level of imports is a round trip.
import "./evidence.js";
import "./leftovers.js";
import "./session.js";
import "./socket.js";
import "./store.js";

/** @param {HTMLElement} section */
function mount(section) {
  const video = section.querySelector("video");
  if (!video) return;
  if (canPlay('video/mp4; codecs="avc1.64001e"')) {
    new Playback(section, video).mount();
    return;
  }
  // Its own sources play, but nobody can tell what was watched: say so.
  const nothing = () => undefined;
  const actions = { toggle: nothing, seek: nothing, pin: nothing, budget: nothing };
  const note = document.createElement("p");
  note.className = "player-status";
  note.textContent = new Controls(section, video, actions).say("cannot-prove");
  section.append(note);
}

for (const section of document.querySelectorAll("[data-player]")) {
  if (section instanceof HTMLElement) mount(section);
}
