import { NeuraError } from "../../src/errors.ts";
import { gpuClassName, gpuClassOf, type Resources } from "../../src/market/resources.ts";

const NAMES = "ram=<MiB>, cpu=<cores>, disk=<MiB>, gpus=<count>, gpu=<model>, vram=<MiB>";

/** `shape` with what the option `--shape` says otherwise. Errors: `usage.shape`, `resources.unknown-gpu`. */
export function shapeFrom(text: string | undefined, shape: Resources): Resources {
  const changes = (text ?? "").split(",").filter((part) => part.trim() !== "");
  return changes.reduce((changed, part) => ({ ...changed, ...changeFrom(part) }), shape);
}

function changeFrom(part: string): Partial<Resources> {
  const [name = "", value = ""] = part.split("=").map((each) => each.trim().toLowerCase());
  if (name === "gpu") return { gpuClass: gpuClassOf(value) };
  if (name === "cpu" && /^\d{1,6}(\.\d{1,3})?$/.test(value))
    return { cpuMilli: Math.round(Number(value) * 1000) };
  if (/^\d{1,10}$/.test(value)) {
    const amount = Number(value);
    if (name === "ram") return { ramMiB: amount };
    if (name === "disk") return { diskMiB: amount };
    if (name === "gpus") return { gpuCount: amount };
    if (name === "vram") return { vramMiB: amount };
  }
  throw new NeuraError("usage.shape", `--shape has ${JSON.stringify(part)}, which is not understood.`, {
    next: `Write it with commas between: ${NAMES}.`,
  });
}

/** A whole number, if the option was given. Error: `usage.number`. */
export function wholeFrom(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^\d{1,12}$/.test(text)) return Number(text);
  throw new NeuraError("usage.number", `--${name} is ${JSON.stringify(text)}, where a whole number belongs.`);
}

/** The shape on one line. */
export function shapeText({ gpuCount, gpuClass, vramMiB, ramMiB, cpuMilli, diskMiB }: Resources): string {
  const gpus = gpuCount === 0 ? "no GPU" : `${gpuCount} × ${gpuClassName(gpuClass)} with ${vramMiB} MiB`;
  return `${cpuMilli / 1000} cores, ${ramMiB} MiB of memory, ${diskMiB} MiB of disk, ${gpus}`;
}
