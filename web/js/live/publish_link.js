// @ts-check
/** The socket of a publisher (`millet.publish.v1`): numbers what is sent and comes back by itself. */

import { backOffMs } from "../player/socket.js";
import { Unanswered, pack, unpackVoice } from "./publish_flow.js";

/** @typedef {import("./publish_wire.js").StudioMessage} StudioMessage */

const SUBPROTOCOL = "millet.publish.v1";
/** Nothing acknowledged for so long: the link is gone, whatever the browser says. */
const SILENCE_MS = 12_000;
const LATEST_MS = 10_000;
/** What passes by waiting: a fault of the server, or a burst after a stall. @type {readonly string[]} */
const PASSING = ["fault", "too_fast"];

export class PublishLink {
  /** @param {string} url @param {import("./publish_wire.js").Studio} studio */
  constructor(url, studio) {
    this.url = url;
    this.studio = studio;
    /** @type {WebSocket | null} */
    this.socket = null;
    /** The server has said welcome on this connection. */
    this.open = false;
    this.wanted = false;
    this.take = false;
    this.attempt = 0;
    this.timer = 0;
    this.watch = 0;
    this.run = "";
    /** Of the next binary message of the run. */
    this.number = 0;
    this.unanswered = new Unanswered();
    this.heardAt = 0;
    this.online = () => this.retryNow();
  }

  /** @param {boolean} take takes the place of another publisher */
  start(take) {
    if (this.wanted) return;
    this.wanted = true;
    this.take = take;
    addEventListener("online", this.online);
    this.watch = setInterval(() => this.listen(), 1000);
    this.connect();
  }

  stop() {
    if (this.open) this.text({ type: "bye" });
    this.wanted = false;
    removeEventListener("online", this.online);
    clearInterval(this.watch);
    clearTimeout(this.timer);
    const { socket } = this;
    this.socket = null;
    this.open = false;
    socket?.close(1000);
  }

  connect() {
    clearTimeout(this.timer);
    this.studio.state("connecting");
    const socket = new WebSocket(this.url, SUBPROTOCOL);
    socket.binaryType = "arraybuffer";
    this.socket = socket;
    this.heardAt = performance.now();
    socket.onopen = () => {
      if (socket !== this.socket) return;
      const { id, kind, container } = this.studio.run();
      if (id !== this.run) this.number = 0;
      this.run = id;
      socket.send(JSON.stringify({ type: "hello", run: id, kind, container, take: this.take }));
    };
    socket.onmessage = (event) => socket === this.socket && this.heard(event.data);
    socket.onclose = () => this.lost(socket);
  }

  /** @param {unknown} data */
  heard(data) {
    this.heardAt = performance.now();
    if (data instanceof ArrayBuffer) {
      const voice = unpackVoice(data);
      if (voice) this.studio.voice(voice.speaker, voice.data);
      return;
    }
    if (typeof data !== "string") return;
    /** @type {StudioMessage} */
    const message = JSON.parse(data);
    switch (message.type) {
      case "welcome":
        this.attempt = 0;
        // Taken over once: whoever comes later is asked again.
        this.take = false;
        this.number = Math.max(this.number, message.next);
        this.unanswered.clear();
        this.open = true;
        this.studio.state("open");
        this.studio.welcomed(message.timeline_ms);
        break;
      case "ack":
        if (message.number !== null) this.unanswered.until(message.number);
        this.studio.recorded(message.recorded_ms);
        break;
      case "want_key":
        this.studio.wantKey();
        break;
      case "report":
        this.studio.report(message);
        break;
      case "problem":
        if (PASSING.includes(message.code)) {
          this.drop();
        } else {
          this.stop();
          this.studio.problem(message.code);
        }
        break;
    }
  }

  /** @param {import("./publish_wire.js").PublisherMessage} message */
  text(message) {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }

  /** @param {import("./publish_wire.js").Parcel} parcel @returns {boolean} whether a connection took it */
  parcel(parcel) {
    if (!this.open || this.socket?.readyState !== WebSocket.OPEN) return false;
    this.socket.send(pack(parcel, this.number));
    this.unanswered.add(this.number, performance.now());
    this.number += 1;
    return true;
  }

  /** @returns {import("./publish_flow.js").Uplink} */
  uplink() {
    const nowMs = performance.now();
    return { nowMs, queuedBytes: this.socket?.bufferedAmount ?? 0, ageMs: this.unanswered.ageMs(nowMs) };
  }

  /** @param {WebSocket} socket */
  lost(socket) {
    if (socket !== this.socket) return;
    this.socket = null;
    this.open = false;
    if (!this.wanted) return;
    this.studio.state("lost");
    this.timer = setTimeout(() => this.connect(), backOffMs(this.attempt, Math.random()));
    this.attempt += 1;
  }

  /** Gives the connection up, what is queued in it too. */
  drop() {
    const { socket } = this;
    if (!socket) return;
    socket.close();
    this.lost(socket);
  }

  retryNow() {
    this.attempt = 0;
    if (this.wanted && !this.socket) this.connect();
  }

  listen() {
    if (!this.socket) return;
    const silentMs = performance.now() - this.heardAt;
    const { ageMs } = this.uplink();
    const silent = silentMs > SILENCE_MS && (!this.open || ageMs > SILENCE_MS);
    // Sound that is this late is of no use to a class: better a gap than a talk into the past.
    if (silent || (this.open && ageMs > LATEST_MS)) this.drop();
  }
}
