import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "chai";

import { commandSink } from "../../../../src/market/alarms/command.ts";
import type { Sink } from "../../../../src/market/alarms/sink.ts";
import { Cleanup, errorOf } from "../../storage/support.ts";
import { ALARM } from "./support.ts";

describe("commandSink", function () {
  this.timeout(20_000);
  const cleanup = new Cleanup();
  let file: string;
  beforeEach(() => {
    file = join(cleanup.directory(), "file");
  });
  afterEach(() => cleanup.run());

  function sink(command: [string, ...string[]], timeoutSeconds = 10): Sink {
    return commandSink({ name: "hook", kinds: undefined, timeoutSeconds, command });
  }

  it("N10_hands the alarm to a program, on its standard input alone", async () => {
    const program = 'cat > "$1.in"; shift; printf "%s\\n" "$@" > "$0"';
    await sink(["/bin/sh", "-c", program, file, file, "$(touch x)", "; exit 3", "`id`"]).send(ALARM);
    expect(JSON.parse(await readFile(`${file}.in`, "utf8"))).to.deep.equal({
      schema: "neura/alarm/1",
      ...ALARM,
    });
    expect(await readFile(file, "utf8")).to.equal("$(touch x)\n; exit 3\n`id`\n");
  });

  it("N16_gives it nothing of the environment but PATH, HOME and the kind", async () => {
    process.env["NEURA_PRIVATE_KEY"] = "0xsecret";
    cleanup.add(() => delete process.env["NEURA_PRIVATE_KEY"]);
    const print = "require('fs').writeFileSync(process.argv[1], JSON.stringify(process.env))";
    await sink([process.execPath, "-e", print, file]).send(ALARM);
    const { PATH, HOME } = process.env;
    expect(JSON.parse(await readFile(file, "utf8"))).to.deep.equal({
      ...(PATH === undefined ? {} : { PATH }),
      ...(HOME === undefined ? {} : { HOME }),
      NEURA_ALARM_KIND: "failed",
    });
  });

  it("says why it failed", async () => {
    const failed = await errorOf(
      sink(["/bin/sh", "-c", "printf 'no\\033[2J route' >&2; exit 3"]).send(ALARM),
    );
    expect(failed.code).to.equal("alarm.command");
    expect(failed.message).to.equal("The command of hook ended with 3: no [2J route.");
    const missing = await errorOf(sink([`${file}.none`]).send(ALARM));
    expect(missing.message).to.contain("cannot be started").and.contain("ENOENT");
    const killed = await errorOf(sink(["/bin/sh", "-c", "kill -TERM $$"]).send(ALARM));
    expect(killed.message).to.contain("ended with SIGTERM");
  });

  it("does not mind a program that reads nothing, or that leaves something running", async () => {
    await sink(["true"]).send(ALARM);
    await sink(["/bin/sh", "-c", "sleep 5 & exit 0"]).send(ALARM);
  });

  for (const reason of ["the time limit", "an abort"]) {
    it(`ends it with all that it started at ${reason}`, async () => {
      const abort = new AbortController();
      const hook = sink(
        ["/bin/sh", "-c", 'sleep 60 & echo $! > "$0"; wait', file],
        reason === "an abort" ? 60 : 0.3,
      );
      const sending = hook.send(ALARM, abort.signal).catch((error: unknown) => error);
      const pid = await pidIn(file);
      if (reason === "an abort") abort.abort(new Error("enough"));
      const message = reason === "an abort" ? "enough" : "The command of hook did not end within 0.3 s.";
      expect(await sending).to.have.property("message", message);
      while (isRunning(pid)) await sleep(10);
    });
  }
});

async function pidIn(file: string): Promise<number> {
  for (;;) {
    const text = await readFile(file, "utf8").catch(() => "");
    if (text.endsWith("\n")) return Number(text);
    await sleep(10);
  }
}

/** A process that has ended and that nobody has asked about yet does not run. */
function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !readFileSync(`/proc/${pid}/stat`, "utf8").includes(") Z ");
  } catch {
    return false;
  }
}
