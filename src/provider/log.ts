import type { Json } from "../manifest.ts";

/** From the least important on. */
export const LEVELS = ["debug", "info", "warn", "error"] as const;
export type Level = (typeof LEVELS)[number];

/** Something that happened. Its fields are numbers, texts and amounts; a secret has no place in any of them. */
export interface NodeEvent {
  readonly level: Level;
  /** `fetched`, `delivered`, `reorganised`, … */
  readonly event: string;
  /** The task's id. */
  readonly task?: string;
  readonly [field: string]: Json | bigint | undefined;
}

/** Writes events as lines: JSON with `json`, else for people. Less than `level` is left out. */
export function writeEvents(
  write: (line: string) => void,
  { json, level = "info", now = () => new Date() }: { json: boolean; level?: Level; now?: () => Date },
): (event: NodeEvent) => void {
  return (event) => {
    if (LEVELS.indexOf(event.level) < LEVELS.indexOf(level)) return;
    const time = now().toISOString();
    write(`${json ? JSON.stringify({ time, ...event }, plain) : pretty(time, event)}\n`);
  };
}

function pretty(time: string, { level, event, task, ...fields }: NodeEvent): string {
  const mark = level === "warn" || level === "error" ? `${level.toUpperCase()} ` : "";
  const about = task === undefined ? "" : ` ${task.slice(0, 10)}…`;
  const rest = Object.entries(fields).map(([name, value]) => ` ${name}=${text(value)}`);
  return `${time.slice(11, 23)} ${mark}${event}${about}${rest.join("")}`;
}

function text(value: unknown): string {
  if (typeof value === "bigint") return value.toString();
  return typeof value === "string" && /^\S+$/.test(value) ? value : JSON.stringify(value, plain);
}

function plain(_: string, value: unknown): unknown {
  return typeof value === "bigint" ? value.toString() : value;
}
