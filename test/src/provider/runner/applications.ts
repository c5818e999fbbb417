/** Applications as a run may meet them: good ones, broken ones, hostile ones. Loaded by the runner's own process. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import type { JsonObject } from "../../../../src/manifest.ts";
import { badInput } from "../../../../src/provider/applications/application.ts";
import type {
  Application,
  RunContext,
  RunSummary,
  ServeContext,
  Service,
} from "../../../../src/provider/applications/application.ts";

function summary(result: JsonObject = {}): RunSummary {
  return {
    result: { schema: "neura/test/1", ...result },
    units: [{ name: "input/a", inputHash: "aa", outputHash: "bb" }],
    model: { package: "none", version: "1.0.0", files: [{ name: "model", sha256: "cc" }] },
    runtime: { none: "1.0.0" },
    dtype: "fp32",
    seed: null,
  };
}

const runs: Record<string, (context: RunContext) => Promise<RunSummary> | RunSummary> = {
  noop: () => summary(),

  /** One line to output/steps every 50 ms; keeps what it has when it is asked to end. */
  async steps(context) {
    const { manifest, outputDirectory, signal } = context;
    const steps = Number(manifest.parameters.steps);
    for (let step = 1; step <= steps; step++) {
      if (signal.aborted) {
        fs.writeFileSync(join(outputDirectory, "partial"), `${step}`);
        signal.throwIfAborted();
      }
      fs.appendFileSync(join(outputDirectory, "steps"), `${step}\n`);
      context.log(`step ${step}`);
      context.progress(step, steps);
      await sleep(50);
    }
    return summary({ steps });
  },

  badInput() {
    throw badInput("The picture is none.", { next: "Send a picture." });
  },
  throws({ inputDirectory }) {
    throw new Error(`No model in ${inputDirectory}.`);
  },
  rejectsLater: async () => {
    void Promise.reject(new Error("forgotten"));
    await sleep(60_000);
    return summary();
  },
  exits: ({ manifest }) => process.exit(Number(manifest.parameters.code)),
  killed() {
    process.kill(process.pid, "SIGKILL");
    return summary();
  },
  liar() {
    fs.writeSync(
      3,
      '{"type":"completed","summary":{"result":[]}}\nnonsense\n{"type":"progress","done":-1}\n',
    );
    return process.exit(0);
  },

  // ---- Without an end ----

  async deaf() {
    for (;;) await sleep(1000);
  },
  spins() {
    for (;;);
  },
  allocatesHeap() {
    const all: unknown[] = [];
    for (;;) all.push(new Array(1000).fill(all.length));
  },
  async allocatesBuffers() {
    const all: Buffer[] = [];
    for (;;) {
      all.push(Buffer.alloc(16 * 1024 * 1024, 1));
      await sleep(5);
    }
  },
  fillsDisk: async ({ outputDirectory }) => {
    const file = fs.openSync(join(outputDirectory, "big"), "w");
    for (;;) {
      fs.writeSync(file, Buffer.alloc(64 * 1024, 1));
      await sleep(1);
    }
  },
  fillsDiskAtOnce({ outputDirectory }) {
    fs.writeFileSync(join(outputDirectory, "big"), Buffer.alloc(40 * 1024 * 1024, 1));
    return summary();
  },
  async fillsTemporary() {
    for (let name = 0; ; name++) {
      fs.writeFileSync(join(process.env.TMPDIR ?? "", `${name}`), Buffer.alloc(256 * 1024));
      await sleep(1);
    }
  },
  async sparse({ outputDirectory }) {
    fs.writeFileSync(join(outputDirectory, "sparse"), "");
    fs.truncateSync(join(outputDirectory, "sparse"), 9_000_000);
    await sleep(60_000);
    return summary();
  },
  async smallFiles({ outputDirectory }) {
    for (let name = 0; ; name++) {
      fs.mkdirSync(join(outputDirectory, `${name}`));
      if (name % 100 === 0) await sleep(1);
    }
  },
  hugeSummary: () => summary({ text: "x".repeat(20 * 1024 * 1024) }),
  logsMuch(context) {
    const line = "x".repeat(1023);
    for (let written = 0; written < 100 * 1024; written++) context.log(line);
    return summary();
  },

  // ---- Out of its place ----

  escapes: async (context) => summary(await escape(context, context.outputDirectory)),
};

const services: Record<string, (context: ServeContext) => Promise<Service["answer"]> | Service["answer"]> = {
  endsAtStart: () => process.exit(0),
  badParameters() {
    throw badInput("There is no such model.");
  },
  /** Does what the path says. */
  obeys: (context) => (request) => {
    const { pathname } = new URL(request.url);
    switch (pathname) {
      case "/mirror":
        return mirror(request);
      case "/waits":
        return once(request.signal, "abort").then(() => {
          context.log("Nobody waits.");
          return new Response();
        });
      case "/meets":
        return meeting(request);
      case "/bad-input":
        throw badInput("The picture is none.", { next: "Send a picture." });
      case "/throws":
        throw new Error(`No model in ${context.inputDirectory}.`);
      case "/exits":
        return process.exit(7);
      case "/spins":
        for (;;);
      case "/half":
        // A part of the answer, then no more.
        return Promise.resolve(
          new Response(
            new ReadableStream({
              pull(controller) {
                controller.enqueue(Buffer.from("half of "));
                return new Promise((resolve) => setTimeout(resolve, 100)).then(() => process.exit(0));
              },
            }),
          ),
        );
      case "/drips":
        return Promise.resolve(new Response(drops()));
      case "/lies":
        fs.writeSync(3, '{"type":"completed","summary":{"result":[]}}\n{"type":"running"}\n');
        return Promise.resolve(new Response("lied"));
      case "/nonsense":
        // Anything that is no HTTP/2, on the channel itself.
        fs.writeSync(4, "HTTP/1.1 200 OK\r\n\r\n");
        return Promise.resolve(new Response("written"));
      default:
        return Promise.resolve(new Response("obeyed"));
    }
  },
  allocates: () => async () => {
    const all: Buffer[] = [];
    for (;;) {
      all.push(Buffer.alloc(16 * 1024 * 1024, 1));
      await sleep(5);
    }
  },
  escapes: (context) => async () =>
    Response.json(await escape(context, join(context.inputDirectory, "../output"))),
};

async function mirror(request: Request): Promise<Response> {
  return Response.json({
    method: request.method,
    url: request.url,
    headers: Object.fromEntries(request.headers),
    bytes: (await request.arrayBuffer()).byteLength,
  });
}

const waiting: (() => void)[] = [];

/** Answers, and reads a request, only when there are four at the same time. */
async function meeting(request: Request): Promise<Response> {
  if (waiting.length === 3) for (const go of waiting.splice(0)) go();
  else await new Promise<void>((resolve) => waiting.push(resolve));
  return new Response(`${(await request.arrayBuffer()).byteLength}`);
}

function drops(): ReadableStream<Uint8Array> {
  let count = 0;
  return new ReadableStream({
    async pull(controller) {
      await sleep(20);
      if (count++ === 20) controller.close();
      else controller.enqueue(Buffer.from("drop\n"));
    },
  });
}

/** Tries what it must not, and says for each how far it got: an error's code, or `done`. */
async function escape({ manifest }: ServeContext, outputDirectory: string): Promise<JsonObject> {
  const told = (name: string): string => JSON.stringify(manifest.parameters[name]).replaceAll('"', "");
  const tries: Record<string, () => unknown> = {
    readKey: () => fs.readFileSync(told("keyFile"), "utf8"),
    readPasswd: () => fs.readFileSync("/etc/passwd", "utf8"),
    listHome: () => fs.readdirSync(told("home")),
    readOrder: () => fs.readFileSync(join(outputDirectory, "../run/order.json"), "utf8"),
    readParentEnvironment: () => fs.readFileSync(`/proc/${told("parent")}/environ`, "latin1"),
    readEnvironment: () => fs.readFileSync("/proc/1/environ", "latin1"),
    writeOutside: () => fs.writeFileSync(join(told("home"), "escaped"), "x"),
    writeTask: () => fs.writeFileSync(join(outputDirectory, "../escaped"), "x"),
    writeInput: () => fs.writeFileSync(join(outputDirectory, "../input/escaped"), "x"),
    writeLog: () => fs.appendFileSync(join(outputDirectory, "../logs/application.log"), "escaped"),
    forgeOutcome: () => fs.writeFileSync(join(outputDirectory, "../run/outcome.json"), "{}"),
    writeCode: () => fs.writeFileSync(new URL("escaped.ts", import.meta.url), "x"),
    symlink: () => fs.symlinkSync("/etc/passwd", join(outputDirectory, "passwd")),
    hardlink: () => fs.linkSync(told("keyFile"), join(outputDirectory, "key")),
    rename: () => fs.renameSync(told("keyFile"), join(outputDirectory, "key")),
    spawn: async () => await spawned(),
    worker: () => new Worker("for(;;);", { eval: true }),
    signalParent: () => process.kill(Number(told("parent")), 0),
    connect: async () => await connected(Number(told("port"))),
  };
  const result: Record<string, string> = {};
  for (const [name, attempt] of Object.entries(tries))
    try {
      await attempt();
      result[name] = "done";
    } catch (error) {
      result[name] = error instanceof Error && "code" in error ? String(error.code) : String(error);
    }
  return {
    tries: result,
    environment: { ...process.env } as Record<string, string>,
    argv: process.argv,
  };
}

async function spawned(): Promise<void> {
  const child = spawn("/bin/sleep", ["1000"], { detached: true, stdio: "ignore" });
  await new Promise((resolve, reject) => child.once("spawn", resolve).once("error", reject));
}

async function connected(port: number): Promise<void> {
  const socket = connect(port, "127.0.0.1");
  await new Promise<void>((resolve, reject) => {
    socket.on("error", reject).once("connect", () => socket.end("escaped", resolve));
  });
}

export const applications: ReadonlyMap<string, Application> = new Map(
  [...new Set([...Object.keys(runs), ...Object.keys(services)])].map((name) => [name, application(name)]),
);

function application(name: string): Application {
  const [run, serve] = [runs[name], services[name]];
  return {
    name,
    version: "1.0.0",
    description: name,
    check: () => undefined,
    run: async (context) => (run ? await run(context) : summary()),
    ...(serve ? { serve: async (context) => ({ answer: await serve(context) }) } : {}),
  };
}
