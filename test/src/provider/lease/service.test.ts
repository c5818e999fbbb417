import { expect } from "chai";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { mkdir, rmdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { spawnModule } from "../../../../src/process.ts";
import { LeaseService } from "../../../../src/provider/lease/service.ts";
import { RunState } from "../../../../src/provider/runner/state.ts";
import { killApplication, processesIn, testRunner, until } from "../runner/support.ts";
import { isUp, Provider, TASK } from "./support.ts";

describe("provider/lease: a service as the node keeps it", function () {
  this.timeout(60_000);
  const provider = new Provider();

  beforeEach(() => provider.open());
  afterEach(() => provider.close());

  const eventsOf = (): string[] => provider.events.map(({ event }) => event);

  it("counts as up only what was: its application is killed in the middle and comes back", async () => {
    const runner = await testRunner(undefined, { backoffMs: 500 });
    const service = await provider.serve({ application: "obeys", runner });
    expect(service.status()).to.include({ ready: false, up: false, upSeconds: 0, restarts: 0 });
    await until(() => service.status().uptime.upMs > 200);
    expect(service.status()).to.include({ ready: true, up: true });

    await killApplication(service.directory);
    await until(() => !service.status().up);
    const { upMs } = service.status().uptime;
    await until(() => service.status().uptime.downMs > 100);
    expect(service.status()).to.include({ ready: true, up: false });
    expect(service.status().uptime.upMs).to.equal(upMs);

    await until(() => service.status().up);
    await until(() => service.status().uptime.upMs > upMs);
    const { uptime, restarts } = service.status();
    expect(restarts).to.equal(1);
    expect(uptime.spans.map((span) => span.isUp)).to.deep.equal([false, true, false, true]);
    expect(eventsOf()).to.deep.equal(["service-up", "service-down", "service-up"]);
  });

  it("N10_is adopted after the node was killed: one application, nothing forgotten, a request in between", async () => {
    const job = await provider.workshop.job("obeys", { service: {} });
    const node = spawnModule(new URL("./node.ts", import.meta.url), {
      arguments: [JSON.stringify(job)],
      stdio: ["ignore", "pipe", "inherit"],
    });
    await once(node.stdout!, "data");
    node.kill("SIGKILL");
    await once(node, "exit");
    const state = new RunState(job.directory);
    const identities = async (): Promise<unknown[]> => [
      await state.read("supervisor.json"),
      await state.read("application.json"),
      processesIn(job.directory),
    ];
    const before = await identities();

    const service = await provider.adopt(job, await testRunner());
    const { upMs } = service.status().uptime;
    expect(service.status()).to.include({ ready: true, up: false });
    service.take()!();
    await isUp(service);
    await service.detach();

    const next = await provider.adopt(job, await testRunner());
    expect(next.status()).to.include({ requests: 1, restarts: 0 });
    expect(next.status().lastRequestAtSeconds).to.be.a("number");
    expect(next.status().uptime.upMs).to.be.at.least(upMs);
    await isUp(next);
    expect(await identities()).to.deep.equal(before);
  });

  it("is started when the node was killed just before that, and not where none is wanted", async () => {
    const job = await provider.workshop.job("obeys", { service: {} });
    const options = provider.options(await testRunner());
    expect(await LeaseService.adopt(job.directory, options)).to.equal(undefined);
    // Nor has its payload a file.
    await rmdir(join(job.directory, "input"));
    await mkdir(join(job.directory, "lease"));
    await writeFile(join(job.directory, "lease/job.json"), JSON.stringify(job));
    await isUp(await provider.adopt(job, options.runner));
  });

  it("is started again when its supervisor is lost, as with a reboot", async () => {
    const service = await provider.serve({ application: "obeys", runner: await testRunner() });
    await until(() => service.status().uptime.upMs > 0);
    const { upMs } = service.status().uptime;
    const { pid } = (await new RunState(service.directory).read("supervisor.json"))!;
    process.kill(pid, "SIGKILL");
    await until(() => service.status().restarts === 1);
    await isUp(service);
    expect(service.status().uptime.upMs).to.be.at.least(upMs);
    const health = await service.health();
    expect(health).to.deep.equal({ isUp: true, restarts: 1 });
  });

  it("is stopped when nobody has used it for a while in which it was up", async () => {
    const service = await provider.serve({ service: { idleStopSeconds: 1 } });
    await isUp(service);
    const giveBack = service.take()!;
    await until(() => service.status().uptime.upMs > 1100);
    giveBack();
    const { upMs } = service.status().uptime;
    const end = await service.ended;
    expect(end).to.include({ kind: "idle", message: "Nobody used the service for 1 s." });
    expect(service.status().uptime.upMs - upMs).to.be.at.least(1000);
    expect(end.outcome.message).to.equal("The run was stopped: Nobody used the service for 1 s.");
  });

  it("gives out as many places as its manifest says, each once", async () => {
    const service = await provider.serve({ service: { concurrency: 2 } });
    const [first, second] = [service.take(), service.take()];
    expect([typeof first, typeof second, service.take()]).to.deep.equal(["function", "function", undefined]);
    first!();
    first!();
    expect(service.status().openRequests).to.equal(1);
    expect([typeof service.take(), service.take()]).to.deep.equal(["function", undefined]);
  });

  it("stays ended, for the same reason, whoever adopts it", async () => {
    const service = await provider.serve();
    await isUp(service);
    expect(await service.stop("The lease is over.")).to.include({
      kind: "stopped",
      message: "The lease is over.",
    });
    const again = await provider.adopt(service);
    expect(await again.ended).to.include({ kind: "stopped", message: "The lease is over." });
    expect(processesIn(service.directory)).to.have.length.below(2); // The supervisor may be on its way out.
  });

  it("is ended by the next node where one was killed while it stopped it", async () => {
    const service = await provider.serve({ application: "obeys", runner: await testRunner() });
    await isUp(service);
    await service.detach();
    const path = join(service.directory, "lease/record.json");
    const record = JSON.parse(readFileSync(path, "utf8")) as object;
    await writeFile(
      path,
      JSON.stringify({ ...record, ending: { kind: "idle", message: "Nobody used it." } }),
    );
    const again = await provider.adopt(service, await testRunner());
    expect(await again.ended).to.include({ kind: "idle", message: "Nobody used it." });
  });

  it("has failed when its application ends again and again", async () => {
    const runner = await testRunner(undefined, { most: 1, backoffMs: 1 });
    const service = await provider.serve({ application: "endsAtStart", runner });
    const end = await service.ended;
    expect(end).to.include({ kind: "failed", message: "The application ended without a result." });
    expect(service.status()).to.include({ ready: false, up: false });
    expect(provider.events.at(-1)).to.include({ event: "service-ended", level: "error", task: TASK });
  });
});
