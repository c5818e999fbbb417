import type { RunContext, RunSummary } from "../application.ts";
import type { OcrParameters } from "./application.ts";

export function readPictures(_context: RunContext, _parameters: OcrParameters): Promise<RunSummary> {
  return Promise.reject(new Error("not yet"));
}
