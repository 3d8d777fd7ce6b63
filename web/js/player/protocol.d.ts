export type Rendition = { id: string; kind: "audio" | "stills" | "video"; codec: string; width: number; height: number; bytes: number };
export type Welcome = { type: "welcome"; epoch: number; duration_ms: number; renditions: Rendition[]; rung: string; receipt: string };
export type ServerMessage = Welcome | { type: "rung"; rung: string } | { type: "credited"; ids: string[] } | { type: "refused_interval"; id: string; reason: string } | { type: "budget_reached" } | { type: "end" } | { type: "problem"; code: string };
export type ClientMessage = any;
