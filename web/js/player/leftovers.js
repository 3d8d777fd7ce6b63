// @ts-check
/**
 * Hands in what earlier visits played but could not settle, say because the page was closed while
 * the link was down. Only words travel: a budget of nothing holds the media back.
 */

import { makeUuid } from "./evidence.js";
import { Link } from "./socket.js";

/** Intervals in one message. */
export const PLAYED_AT_ONCE = 50;

/**
 * @param {string} url
 * @param {import("./evidence.js").Outbox} outbox loaded
 * @param {string[]} codecs
 * @param {string | null} receipt
 * @returns {Promise<void>} when all is settled or cannot be
 */
export function handIn(url, outbox, codecs, receipt) {
  return new Promise((resolve) => {
    const send = () => {
      const intervals = outbox.list(PLAYED_AT_ONCE);
      if (intervals.length > 0) return link.send({ type: "played", intervals, receipt });
      link.send({ type: "bye" });
      return finish();
    };
    const finish = () => {
      link.stop();
      resolve();
    };
    const link = new Link(url, {
      hello: () => ({
        type: "hello",
        timeline: outbox.timeline,
        session: makeUuid(),
        position_ms: 0,
        codecs,
        pin: null,
        budget_bytes: 0,
        resume: null,
        receipt,
        live: null,
      }),
      control(message) {
        if (message.type === "credited") outbox.settle(message.ids);
        if (message.type === "refused_interval") outbox.settle([message.id]);
        if (message.type === "problem") return finish();
        const goOn = message.type === "welcome" || outbox.waiting.size === 0;
        if (goOn || (message.type === "credited" && message.ids.length > 0)) send();
      },
      frame: () => undefined,
      state: () => undefined,
      expecting: () => true,
    });
    link.start();
  });
}
