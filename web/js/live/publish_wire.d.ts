// Messages of `millet.publish.v1`, and the shapes that the publisher's modules share.

export interface VideoConfig {
  type: "video_config";
  /** RFC 6381, for example `avc1.42e01e`. */
  codec: string;
  /** Base64 of avcC; null: Annex B. */
  description: string | null;
  width: number;
  height: number;
}

export interface AudioConfig {
  type: "audio_config";
  codec: "opus" | "mp4a.40.2";
  sample_rate: number;
  channels: number;
  description: string | null;
}

export type PublisherMessage =
  | {
      type: "hello";
      /** UUID of this life of an encoder. */
      run: string;
      kind: "frames" | "container";
      container: string | null;
      /** Takes the place of another publisher. */
      take: boolean;
    }
  | VideoConfig
  | AudioConfig
  | { type: "bye" };

export type PublishProblem =
  | "occupied"
  | "taken_over"
  | "not_leading"
  | "not_open"
  | "bad_media"
  | "ended"
  | "malformed"
  | "too_fast"
  | "fault";

export interface Report {
  type: "report";
  lag_ms: number;
  dropped_rungs: string[];
}

export type StudioMessage =
  | {
      type: "welcome";
      timeline_ms: number;
      /** Number of the next binary message that the server has not got. */
      next: number;
    }
  | {
      type: "ack";
      /** Newest binary message that was taken, null before the first. */
      number: number | null;
      recorded_ms: number;
    }
  | { type: "want_key" }
  | Report
  | { type: "problem"; code: PublishProblem };

/** A binary message before it has its number. */
export interface Parcel {
  kind: 1 | 2 | 3;
  key: boolean;
  timestampUs: number;
  data: Uint8Array<ArrayBuffer>;
}

/** What the link of a publisher asks of, and tells to, whoever makes the media. */
export interface Studio {
  /** A container begins anew with each connection, frames go on. */
  run(): { id: string; kind: "frames" | "container"; container: string | null };
  /** A connection stands; descriptions of the streams must come first. */
  welcomed(timelineMs: number): void;
  wantKey(): void;
  recorded(recordedMs: number): void;
  report(report: Report): void;
  state(state: "connecting" | "open" | "lost"): void;
  problem(code: PublishProblem): void;
  /** A packet of Opus of somebody who has the floor. */
  voice(speaker: number, data: Uint8Array<ArrayBuffer>): void;
}

export type SourceKind = "camera" | "screen" | "voice";

export interface Wish {
  kind: SourceKind;
  /** Device ids, empty for the browser's choice. */
  camera: string;
  microphone: string;
  /** Measured uplink in kbit/s, 0 for unknown. */
  uplinkKbit: number;
}
