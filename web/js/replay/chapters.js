// @ts-check
/** Places of a lesson: chapters, pictures and messages to jump to, captions, and the ends that a teacher chooses. */

import { clock } from "../player/controls.js";

const section = /** @type {HTMLElement | null} */ (document.querySelector("section[data-player]"));
const video = section?.querySelector("video") ?? null;

/** Whether the page's own player plays; else the browser's does. */
function scripted() {
  return section?.dataset.state !== undefined;
}

/** Where the lesson is, on its timeline. */
export function nowMs() {
  if (!section || !video) return 0;
  // Files of a part begin with it.
  if (!scripted()) return Number(section.dataset.fromMs ?? 0) + video.currentTime * 1000;
  if (video.readyState > 0) return video.currentTime * 1000;
  return Number(bar()?.value ?? 0) * 1000;
}

/** Sound and picture that are stored ahead. */
export function aheadMs() {
  if (!video) return 0;
  const { buffered, currentTime } = video;
  for (let index = 0; index < buffered.length; index += 1) {
    if (buffered.start(index) <= currentTime + 0.2 && buffered.end(index) > currentTime)
      return (buffered.end(index) - currentTime) * 1000;
  }
  return 0;
}

/** @returns {HTMLInputElement | null} */
function bar() {
  return section?.querySelector("[data-do=seek]") ?? null;
}

/** Plays from there. @param {number} atMs */
export function jump(atMs) {
  const seek = bar();
  if (!section || !video) return;
  if (!seek || !scripted()) {
    video.currentTime = (atMs - Number(section.dataset.fromMs ?? 0)) / 1000;
    void video.play();
    return;
  }
  // As if the learner moved the bar.
  seek.value = String(Math.floor(atMs / 1000));
  seek.dispatchEvent(new Event("change"));
  const { state = "" } = section.dataset;
  const toggle = /** @type {HTMLElement | null} */ (section.querySelector("[data-do=toggle]"));
  if (state === "paused" || state === "ended") toggle?.click();
}

/** @param {MouseEvent} event */
function follow(event) {
  if (event.ctrlKey || event.metaKey || event.shiftKey || !(event.target instanceof Element)) return;
  const place = /** @type {HTMLElement | null} */ (event.target.closest("a[data-at]"));
  if (!place) return;
  event.preventDefault();
  jump(Number(place.dataset.at));
  // On a phone, pictures stand far below what plays.
  section?.scrollIntoView({ block: "nearest" });
}

/** Marks the chapter that plays. */
function mark() {
  const now = nowMs();
  const chapters = /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll(".chapters a[data-at]"));
  const current = [...chapters].filter((each) => Number(each.dataset.at) <= now + 999).pop();
  for (const each of chapters) {
    if (each === current) each.setAttribute("aria-current", "true");
    else each.removeAttribute("aria-current");
  }
}

/** Captions stand below the picture: there they are readable at any size, and with sound alone. */
function mountCaptions() {
  const choice = /** @type {HTMLSelectElement | null} */ (section?.querySelector("[data-do=captions]") ?? null);
  const shown = /** @type {HTMLElement | null} */ (section?.querySelector("[data-show=captions]") ?? null);
  if (!video || !choice || !shown) return;
  const tracks = [...video.textTracks];
  const draw = () => {
    const track = tracks[Number(choice.value)];
    const cues = choice.value === "" ? [] : [...(track?.activeCues ?? [])];
    // Only the browser's own caption has markup to be read.
    const text = cues.map((cue) => /** @type {VTTCue} */ (cue).getCueAsHTML().textContent ?? "").join("\n");
    if (shown.textContent !== text) shown.textContent = text;
  };
  const choose = () => {
    for (const [index, track] of tracks.entries())
      track.mode = choice.value === String(index) ? "hidden" : "disabled";
    shown.hidden = choice.value === "";
    shown.lang = tag(tracks[Number(choice.value)]?.language ?? "");
    draw();
  };
  for (const [index, track] of tracks.entries()) {
    track.addEventListener("cuechange", draw);
    const option = [...choice.options].find((each) => each.value === String(index));
    // A code is no name.
    if (option && track.label === track.language) option.text = languageName(track.language);
  }
  choice.addEventListener("change", choose);
  choose();
}

/** @param {string} code @returns {string} */
function languageName(code) {
  const names = new Intl.DisplayNames(document.documentElement.lang || "en", { type: "language" });
  return (tag(code) && names.of(tag(code))) || code;
}

/** Recordings say `eng` where pages say `en`. @param {string} code */
function tag(code) {
  try {
    return Intl.getCanonicalLocales(code)[0] ?? "";
  } catch {
    return "";
  }
}

/** A teacher takes the place that plays as an end. */
function mountTrim() {
  for (const each of /** @type {NodeListOf<HTMLButtonElement>} */ (
    document.querySelectorAll("button[data-here]")
  )) {
    each.hidden = false;
    each.addEventListener("click", () => {
      const field = /** @type {HTMLInputElement | null} */ (
        each.form?.elements.namedItem(each.dataset.here ?? "") ?? null
      );
      if (field) field.value = clock(nowMs());
    });
  }
}

document.addEventListener("click", follow);
video?.addEventListener("timeupdate", mark);
mountCaptions();
mountTrim();
