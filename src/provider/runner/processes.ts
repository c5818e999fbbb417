import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";

/** A process, told apart from a later one that got the same number. */
export interface ProcessIdentity {
  readonly pid: number;
  /** When it started, as the system names it; together with the boot where the system counts from that. */
  readonly started: string;
}

export interface ProcessUsage {
  readonly pid: number;
  readonly rssBytes: number;
  /** Highest `rssBytes` of its life, where the system keeps it. */
  readonly peakRssBytes: number;
  readonly cpuSeconds: number;
}

const linux = process.platform === "linux";
const run = promisify(execFile);

/** The identity of the process that has this number now; undefined if there is none, or only its zombie. */
export async function identify(pid: number): Promise<ProcessIdentity | undefined> {
  if (linux) {
    const stat = readStat(pid);
    return stat && { pid, started: `${bootId()}/${stat.startTicks}` };
  }
  const [row] = await psRows(["-p", String(pid)]);
  return row && { pid, started: row.started };
}

export async function isAlive(identity: ProcessIdentity): Promise<boolean> {
  return (await identify(identity.pid))?.started === identity.started;
}

/** The processes below (and with) the given ones, as they are now. */
export async function tree(roots: readonly number[]): Promise<number[]> {
  const found = new Set(roots);
  if (linux) for (const pid of found) for (const child of childrenOf(pid)) found.add(child);
  else {
    const rows = await psRows(["-A"]);
    for (const pid of found) for (const row of rows) if (row.ppid === pid) found.add(row.pid);
  }
  return [...found];
}

/** What the processes use; those that have ended meanwhile are left out. */
export async function usageOf(pids: readonly number[]): Promise<ProcessUsage[]> {
  if (!linux) return pids.length === 0 ? [] : await psRows(["-p", pids.join(",")]);
  return pids.flatMap((pid) => {
    const stat = readStat(pid);
    const status = readProc(`${pid}/status`);
    if (!stat || status === undefined) return [];
    const kiB = (name: string): number =>
      Number(new RegExp(`^${name}:\\s*(\\d+)`, "m").exec(status)?.[1] ?? 0);
    return [
      {
        pid,
        rssBytes: kiB("VmRSS") * 1024,
        peakRssBytes: kiB("VmHWM") * 1024,
        cpuSeconds: stat.cpuTicks / TICKS_PER_SECOND,
      },
    ];
  });
}

/**
 * Kills a process that led its own group and session, everything in those, everything below it, and the others given,
 * until nothing of it is left; harmless where the number belongs to another process by now.
 *
 * @returns whether nothing is left
 */
export async function killAll(
  leader: ProcessIdentity,
  others: readonly ProcessIdentity[] = [],
): Promise<boolean> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const now = await identify(leader.pid);
    const reused = now !== undefined && now.started !== leader.started;
    const mine = reused ? [] : await ledBy(leader);
    for (const other of others) if (await isAlive(other)) mine.push(other.pid);
    const left = await tree(now && !reused ? [leader.pid, ...mine] : mine);
    if (left.length === 0) return true;
    for (const pid of left) kill(pid, "SIGKILL");
    await sleep(attempt < 10 ? 5 : 50);
  }
  return false;
}

/** Sends a signal to one process; one that is gone is none of our concern. */
export function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // Ended meanwhile, or is not ours.
  }
}

/** The living processes whose group or session this process leads, or led. */
async function ledBy(leader: ProcessIdentity): Promise<number[]> {
  if (!linux) return (await psRows(["-A"])).flatMap((row) => (row.pgid === leader.pid ? [row.pid] : []));
  const [boot, ticks] = leader.started.split("/");
  // Numbers start anew with each boot.
  if (boot !== bootId()) return [];
  return readdirSync("/proc").flatMap((name) => {
    const stat = /^\d+$/.test(name) ? readStat(Number(name)) : undefined;
    const led = stat && (stat.group === leader.pid || stat.session === leader.pid);
    return led && stat.startTicks >= Number(ticks) ? [Number(name)] : [];
  });
}

// ---- Linux: proc(5) ----

/** USER_HZ: 100 on every architecture that Node runs on. */
const TICKS_PER_SECOND = 100;

interface Stat {
  readonly group: number;
  readonly session: number;
  readonly cpuTicks: number;
  readonly startTicks: number;
}

/** Undefined for a process that is gone or a zombie. */
function readStat(pid: number): Stat | undefined {
  const text = readProc(`${pid}/stat`);
  if (text === undefined) return undefined;
  // The name in parentheses can hold anything; what counts comes after the last one. Field 3 is first then.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const field = (number: number): number => Number(fields[number - 3]);
  if (fields[0] === "Z" || fields[0] === "X") return undefined;
  return { group: field(5), session: field(6), cpuTicks: field(14) + field(15), startTicks: field(22) };
}

function childrenOf(pid: number): number[] {
  let threads: string[];
  try {
    threads = readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
  return threads
    .flatMap((thread) => (readProc(`${pid}/task/${thread}/children`) ?? "").split(" "))
    .flatMap((child) => (/^\d+$/.test(child) && readStat(Number(child)) ? [Number(child)] : []));
}

function bootId(): string {
  return readProc("sys/kernel/random/boot_id")?.trim() ?? "";
}

function readProc(path: string): string | undefined {
  try {
    return readFileSync(`/proc/${path}`, "latin1");
  } catch {
    return undefined;
  }
}

// ---- macOS: ps(1) ----

interface PsRow extends ProcessUsage {
  readonly ppid: number;
  readonly pgid: number;
  readonly started: string;
}

async function psRows(selection: readonly string[]): Promise<PsRow[]> {
  const columns = ["pid", "ppid", "pgid", "rss", "time", "stat", "lstart"].flatMap((name) => [
    "-o",
    `${name}=`,
  ]);
  // Fails where it selects nothing.
  const { stdout } = await run("/bin/ps", [...columns, ...selection], { env: { LC_ALL: "C" } }).catch(() => ({
    stdout: "",
  }));
  return stdout.split("\n").flatMap((line) => {
    const [pid, ppid, pgid, rss, time, stat, ...started] = line.trim().split(/\s+/);
    if (time === undefined || stat === undefined || stat.startsWith("Z")) return [];
    const rssBytes = Number(rss) * 1024;
    return [
      {
        pid: Number(pid),
        ppid: Number(ppid),
        pgid: Number(pgid),
        rssBytes,
        peakRssBytes: rssBytes,
        // [[hours:]minutes:]seconds
        cpuSeconds: time.split(":").reduce((sum, part) => sum * 60 + Number(part), 0),
        started: started.join(" "),
      },
    ];
  });
}
