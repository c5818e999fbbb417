import { execFile } from "node:child_process";
import { statfs } from "node:fs/promises";
import { arch, availableParallelism, cpus, totalmem } from "node:os";
import { promisify } from "node:util";

import { GPU_CLASSES, type Resources } from "../market/resources.ts";

/** What this machine has, as far as it can be found out. */
export interface Hardware {
  /** As a provider offers it. */
  readonly shape: Resources;
  readonly cpu: string;
  readonly architecture: string;
  /** Names of the GPUs, as their driver gives them. */
  readonly gpus: readonly string[];
}

const MIB = 1024 * 1024;
const ANSWER_MS = 10_000;

/** Looks at the machine; `directory` says which disk counts. */
export async function detectHardware(directory: string): Promise<Hardware> {
  const [disk, gpus] = await Promise.all([statfs(directory), detectGpus()]);
  const [first] = gpus;
  const shape = {
    gpuCount: gpus.length,
    gpuClass: first === undefined ? 0 : gpuClassIn(first.name),
    vramMiB: Math.min(...gpus.map(({ vramMiB }) => vramMiB), first?.vramMiB ?? 0),
    ramMiB: Math.floor(totalmem() / MIB),
    cpuMilli: availableParallelism() * 1000,
    diskMiB: Math.min(Math.floor((disk.bavail * disk.bsize) / MIB), 2 ** 32 - 1),
  };
  const cpu = cpus()[0]?.model.trim() ?? "unknown";
  return { shape, cpu, architecture: arch(), gpus: gpus.map(({ name }) => name) };
}

/** Free space where `directory` is [MiB]. */
export async function freeDiskMiB(directory: string): Promise<number> {
  const disk = await statfs(directory);
  return Math.floor((disk.bavail * disk.bsize) / MIB);
}

async function detectGpus(): Promise<{ name: string; vramMiB: number }[]> {
  const query = ["--query-gpu=name,memory.total", "--format=csv,noheader,nounits"];
  const answer = await promisify(execFile)("nvidia-smi", query, { timeout: ANSWER_MS }).catch(
    () => undefined,
  );
  return (answer?.stdout ?? "").split("\n").flatMap((line) => {
    const [name = "", memory = ""] = line.split(",").map((part) => part.trim());
    return name !== "" && /^\d+$/.test(memory) ? [{ name, vramMiB: Number(memory) }] : [];
  });
}

/** The class that a driver's name such as `NVIDIA H200` or `NVIDIA GeForce RTX 4090` belongs to; 0: none that is known. */
export function gpuClassIn(name: string): number {
  const words = ` ${name.toLowerCase().replaceAll(/[^a-z0-9]+/g, " ")} `;
  const matches = GPU_CLASSES.map((known, index) => ({
    known: known.toLowerCase().replaceAll("-", " "),
    index,
  }))
    .filter(({ known, index }) => index > 0 && words.includes(` ${known} `))
    .toSorted((one, other) => other.known.length - one.known.length);
  return matches[0]?.index ?? 0;
}
