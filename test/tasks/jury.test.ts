import { mkdtempSync } from "node:fs";
import { join } from "node:path";

import { expect } from "chai";
import { network } from "hardhat";

import { createJuryWorld, type JuryWorld, SEAT_WEI } from "../src/jury/support.ts";
import { fileIn } from "../src/market/support.ts";
import { Cleanup } from "../src/storage/support.ts";
import { CONCESSION, STEP } from "../src/jury/support.ts";
import { commands, environmentOf, startChain } from "./command.ts";

const JUROR_KEY = "0x47e179ec197488593b187f80a00eb0da91f1b9d0b13f8733639f19c30a34926a";

describe("tasks: jury", function () {
  this.timeout(120_000);
  const cleanup = new Cleanup();
  let world: JuryWorld;
  let directory: string;
  let environment: Record<string, string>;

  before(async () => {
    const url = await startChain(cleanup);
    const connection = await network.create({ network: "local", override: { url } });
    world = await createJuryWorld(cleanup, { connection });
    directory = mkdtempSync(join(cleanup.directory(), "work-"));
    environment = await environmentOf(world, { url, directory });
  });
  after(() => cleanup.run());

  const run = (words: string[], more: Record<string, string> = {}) =>
    commands({ ...environment, ...more })(words);

  it("orders with the jury as arbiter, and pursues a dispute to its end", async () => {
    const file = await fileIn(directory, "scan.png", "a picture");
    const words = ["task", "submit", file, "--duration", "1m", "--provider", world.provider.account.address];
    const ordered = await run([...words, "--challenge", "1h", "--arbiter", "jury", "--dry-run", "--json"]);
    expect(ordered.code, ordered.stderr).to.equal(0);
    expect(JSON.stringify(ordered.json)).to.contain(world.deployment.contracts.Jury);

    const task = await world.disputed();
    const { id } = task;
    const shown = await run(["task", "status", id]);
    expect(shown.stdout)
      .to.match(/^Case +no panel yet/m)
      .and.to.match(/^Possible +draw by the provider, for/m);
    await world.draw(task);
    await world.pass(CONCESSION + 1);
    const json = await run(["jury", "show", id, "--json"]);
    expect(json.json).to.include({ schema: "neura/jury-show/1", stepName: "Drawn", round: 0 });
    expect(json.json["moves"]).to.have.length(1);
    const early = await run(["jury", "finish", id, "--json"]);
    expect(early.json["error"]).to.include({ code: "jury.not-possible" });

    const pursuing = run(["jury", "pursue", id, "--interval", "1s"]);
    const wait = async (name: string): Promise<void> => {
      for (let tries = 0; tries < 600 && (await world.look(id)).found.stepName !== name; tries++) {
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    };
    await wait("Committing");
    await world.commit(id);
    await wait("Revealing");
    await world.reveal(id, [0, 0, 0]);
    await world.pass(STEP + 1);
    const dry = await run(["jury", "appeal", id, "--dry-run"]);
    expect(dry.stdout)
      .to.match(/^So far +0 % for the provider/m)
      .and.to.match(/^The owner +nothing to win/m);
    expect((await run(["jury", "appeal", id, "--max-bond", "1wei", "--json"])).json["error"]).to.include({
      code: "jury.bond-too-high",
    });
    await world.pass(STEP);
    const ended = await pursuing;
    expect(ended.code, ended.stderr).to.equal(0);
    expect(ended.stderr).to.contain("Done: hand-over of the payload").and.to.contain("Done: finish");
    expect(ended.stdout).to.contain("RuledForOwner");
    expect((await run(["jury", "show", id])).stdout).to.match(/^Case +ended: 0 % of the price/m);
  });

  it("takes seats and leaves them, and says what is in them", async () => {
    const [juror] = world.jurors;
    if (juror === undefined) throw new Error("no juror");
    const own = { NEURA_PRIVATE_KEY: JUROR_KEY };
    const joined = await run(["jury", "join", "--json"], own);
    expect(joined.code, joined.stderr).to.equal(0);
    expect(joined.json).to.include({ account: juror.account.address, class: 0, seats: 1 });
    expect(joined.json["voter"]).to.equal(juror.account.address);
    const seats = await run(["jury", "seats", "--own", "--json"], own);
    expect(seats.json).to.include({ seatWei: `${SEAT_WEI}`, feeBps: 600 });
    expect(seats.json["seats"]).to.have.length(2);
    expect((await run(["jury", "seats"])).stdout).to.match(/^Seat 6 +of 0x/m);
    expect((await run(["jury", "leave", "--json"], own)).json["seats"]).to.deep.equal([0, 6]);
    expect((await run(["jury", "release", "--json"], own)).json["error"]).to.include({
      code: "jury.seat-bound",
    });
    expect((await run(["jury", "join", "--class", "h100", "--json"], own)).json["error"]).to.include({
      code: "jury.wrong-class",
    });
    expect((await run(["jury", "seats", "--class", "abacus", "--json"])).json["error"]).to.include({
      code: "resources.unknown-gpu",
    });
  });
});
