import { NeuraError } from "../../src/errors.ts";
import { ANY_GPU } from "../../src/jury/seats.ts";
import { gpuClassOf } from "../../src/market/resources.ts";

/** A class of seats: `0`, `any`, or the name of a GPU. Errors: `usage.class`, `resources.unknown-gpu`. */
export function parseClass(text: string): number {
  if (text === "any") return ANY_GPU;
  const number = /^\d{1,5}$/.test(text) ? Number(text) : gpuClassOf(text);
  if (number <= ANY_GPU) return number;
  throw new NeuraError("usage.class", `There is no class ${JSON.stringify(text)} of seats.`, {
    next: "Give 0 for work without a GPU, any, or a GPU such as h100.",
  });
}
