/**
 * The process in which an application works: started by the supervisor, within the sandbox, with the URL of the
 * module that holds the applications.
 *
 *     application-main.ts file:///…/applications/registry.ts
 */
import { once } from "node:events";
import { writeSync } from "node:fs";
import { Socket } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { isNeuraError, messageOf } from "../../errors.ts";
import { checkManifest } from "../applications/application.ts";
import type { Application, ServeContext } from "../applications/application.ts";
import { answerRequests, REQUEST_FD } from "./channel.ts";
import { REPORT_FD } from "./report.ts";
import type { Final, Report, Work } from "./report.ts";
import type { RunUsage } from "./runner.ts";

/** How long the application has to end by itself before the process ends with it, should nobody else do that [ms]. */
const GRACE = 3000;
/** Progress is told no more often than this [ms]. */
const PROGRESS_INTERVAL = 50;

const stopped = new AbortController();
const orders = createInterface({ input: process.stdin });
orders.once("close", () => {
  stopped.abort(new Error("The run was stopped."));
  setTimeout(() => process.exit(1), GRACE).unref();
});
const [line] = (await once(orders, "line")) as [string];

process.on("uncaughtException", (error) => void end(failure(error)));

try {
  await end(await run(JSON.parse(line) as Work, process.argv[2] ?? ""));
} catch (error) {
  await end(failure(error));
}

async function run({ manifest, directory }: Work, modulePath: string): Promise<Final> {
  const { applications } = (await import(modulePath)) as { applications: ReadonlyMap<string, Application> };
  const application = applications.get(manifest.application);
  if (!application) throw new Error(`There is no application ${manifest.application}.`);
  checkManifest(application, manifest);
  const context = {
    manifest,
    inputDirectory: join(directory, "input"),
    signal: stopped.signal,
    log: (line: string) => report({ type: "log", line }),
  };
  if (manifest.service) return await serve(application, context);
  report({ type: "running" });
  let told = -Infinity;
  const summary = await application.run({
    ...context,
    outputDirectory: join(directory, "output"),
    progress: (done, total) => {
      const now = performance.now();
      if (now - told < PROGRESS_INTERVAL && done !== total) return;
      told = now;
      report({ type: "progress", done, total });
    },
  });
  return { type: "completed", summary, usage: usage() };
}

/** Answers requests until it is asked to end; what is being answered then has until the process is killed. */
async function serve(application: Application, context: ServeContext): Promise<Final> {
  const service = await application.serve?.(context);
  if (!service) throw new Error(`The application ${application.name} is no service.`);
  const { close } = answerRequests(new Socket({ fd: REQUEST_FD }), service);
  report({ type: "running" });
  if (!stopped.signal.aborted) await once(stopped.signal, "abort");
  await close();
  return { type: "fault", message: "The service was stopped.", usage: usage() };
}

function failure(error: unknown): Final {
  if (isNeuraError(error, "application.bad-input")) {
    const message = error.next ? `${error.message} ${error.next}` : error.message;
    // For the owner's log, which is all that it gets.
    report({ type: "log", line: message });
    return { type: "bad-input", message, usage: usage() };
  }
  console.error(error);
  return { type: "fault", message: messageOf(error), usage: usage() };
}

function usage(): RunUsage {
  const { maxRSS, userCPUTime, systemCPUTime } = process.resourceUsage();
  return { peakRssBytes: maxRSS * 1024, cpuSeconds: (userCPUTime + systemCPUTime) / 1e6 };
}

/** The last report; whoever reads it kills this process, so what was printed goes out before. */
async function end(final: Final): Promise<never> {
  for (const stream of [process.stdout, process.stderr])
    await new Promise((resolve) => stream.write("", resolve));
  report(final);
  process.exit(final.type === "completed" ? 0 : 1);
}

function report(message: Report): void {
  const bytes = Buffer.from(`${JSON.stringify(message)}\n`);
  for (let sent = 0; sent < bytes.length;) sent += writeSync(REPORT_FD, bytes, sent);
}
