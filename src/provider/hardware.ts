import { execFile } from "node:child_process";
import { statfs } from "node:fs/promises";
import { arch, availableParallelism, cpus, totalmem } from "node:os";
import { promisify } from "node:util";

import type { Machine } from "../market/needs.ts";
import { GPU_CLASSES, type Resources } from "../market/resources.ts";

/** What this machine has, as far as it can be found out. */
export interface Hardware {
  /** As a provider offers it. */
  readonly shape: Resources;
  readonly cpu: string;
  readonly architecture: string;
  /** Names of the GPUs, as their driver gives them. */
  readonly gpus: readonly string[];
  /** What owners may need beyond the shape, as far as it can be found out. */
  readonly machine: Machine;
}

/** One GPU as its driver describes it; old drivers do not say their version and the capability. */
export interface Gpu {
  readonly name: string;
  readonly vramMiB: number;
  readonly driver: string | undefined;
  readonly cudaCapability: string | undefined;
}

const MIB = 1024 * 1024;
const ANSWER_MS = 10_000;

/** Looks at the machine; `directory` says which disk counts. */
export async function detectHardware(directory: string): Promise<Hardware> {
  const [disk, gpus, sharedMemoryMiB] = await Promise.all([
    statfs(directory),
    detectGpus(),
    detectSharedMemory(),
  ]);
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
  const names = gpus.map(({ name }) => name);
  const interconnect = gpus.length > 1 ? await detectInterconnect() : undefined;
  const machine: Machine = {
    cpuArchitecture: arch(),
    cpu,
    ...(names.length === 0 ? {} : { gpus: names }),
    ...(first?.driver === undefined ? {} : { driver: first.driver }),
    ...(first?.cudaCapability === undefined ? {} : { cudaCapability: first.cudaCapability }),
    ...(interconnect === undefined ? {} : { interconnect }),
    ...(sharedMemoryMiB === undefined ? {} : { sharedMemoryMiB }),
  };
  return { shape, cpu, architecture: arch(), gpus: names, machine };
}

/** Free space where `directory` is [MiB]. */
export async function freeDiskMiB(directory: string): Promise<number> {
  const disk = await statfs(directory);
  return Math.floor((disk.bavail * disk.bsize) / MIB);
}

async function detectGpus(): Promise<Gpu[]> {
  const query = (fields: string): Promise<string | undefined> =>
    ask([`--query-gpu=${fields}`, "--format=csv,noheader,nounits"]);
  const answer =
    (await query("name,memory.total,driver_version,compute_cap")) ?? (await query("name,memory.total"));
  return gpusIn(answer ?? "");
}

/** What `nvidia-smi` answers to a query for name, memory, driver and capability. */
export function gpusIn(answer: string): Gpu[] {
  return answer.split("\n").flatMap((line) => {
    const [name = "", memory = "", driver = "", capability = ""] = line.split(",").map((part) => part.trim());
    if (name === "" || !/^\d+$/.test(memory)) return [];
    const version = (text: string): string | undefined => (/^\d+(\.\d+)*$/.test(text) ? text : undefined);
    return [{ name, vramMiB: Number(memory), driver: version(driver), cudaCapability: version(capability) }];
  });
}

/** How the GPUs of this machine are linked; nothing if their driver does not say. */
async function detectInterconnect(): Promise<string | undefined> {
  const topology = await ask(["topo", "-m"]);
  return topology && interconnectIn(topology);
}

/** The link in a matrix of `nvidia-smi topo -m`: `nvlink` if each GPU has one, else `pcie`. */
export function interconnectIn(topology: string): string {
  const rows = topology.split("\n").filter((line) => /^GPU\d+\s/.test(line));
  return rows.length > 0 && rows.every((line) => /\bNV\d+\b/.test(line)) ? "nvlink" : "pcie";
}

async function ask(words: readonly string[]): Promise<string | undefined> {
  return await promisify(execFile)("nvidia-smi", words, { timeout: ANSWER_MS }).then(
    ({ stdout }) => stdout,
    () => undefined,
  );
}

/** Where Linux keeps it; nothing elsewhere. */
async function detectSharedMemory(): Promise<number | undefined> {
  const memory = await statfs("/dev/shm").catch(() => undefined);
  const size = memory === undefined ? 0 : Math.floor((memory.blocks * memory.bsize) / MIB);
  return size > 0 ? size : undefined;
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
