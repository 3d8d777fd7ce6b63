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
