// Shapes of the JSON messages of `millet.stream.v1`; times in milliseconds of the timeline.

export type Interval = { id: string; from_ms: number; until_ms: number; rate_permille: number };

/** The newest chunk of each lane that the client holds, for the server to go on behind it. */
export type Resume = {
  epoch: number;
  video_sequence: number | null;
  video_part: number | null;
  audio_sequence: number | null;
  audio_part: number | null;
};

export type ClientMessage =
  | {
      type: "hello";
      timeline: string;
      session: string;
      position_ms: number;
      codecs: string[];
      pin: string | null;
      budget_bytes: number | null;
      resume: Resume | null;
      receipt: string | null;
    }
  | { type: "ack"; bytes: number; buffer_ms: number }
  | { type: "seek"; position_ms: number; epoch: number }
  | { type: "pin"; rung: string | null }
  | { type: "budget"; bytes: number | null }
  | { type: "played"; intervals: Interval[]; receipt: string | null }
  | { type: "bye" };

export type Rendition = {
  index: number;
  id: string;
  kind: "audio" | "stills" | "video";
  /** As Media Source Extensions want it. */
  codec: string;
  width: number;
  height: number;
  bytes: number;
};

/** Indexes of the renditions it is made of, and the bytes of the whole timeline. */
export type Rung = { id: string; video: number | null; audio: number | null; bytes: number };

export type ServerMessage =
  | {
      type: "welcome";
      epoch: number;
      duration_ms: number;
      renditions: Rendition[];
      rungs: Rung[];
      rung: string;
      receipt: string;
    }
  | { type: "rung"; rung: string; reason: "bandwidth" | "pinned" | "budget" | "start" }
  | { type: "receipt"; receipt: string }
  | { type: "credited"; ids: string[]; watched_permille: number }
  | { type: "refused_interval"; id: string; reason: string }
  | { type: "budget_reached" }
  | { type: "end" }
  | { type: "completed"; lesson: boolean; course: boolean }
  | { type: "problem"; code: string };
