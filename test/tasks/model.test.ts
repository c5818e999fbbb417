import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import { network } from "hardhat";
import { formatEther, parseEther, Wallet } from "ethers";
import sharp from "sharp";

import {
  idsText,
  parseQuantity,
  parseReference,
  parseUnitCount,
  quantityText,
} from "../../tasks/model/ownership.ts";
import { DeedCertificate__factory, ModelDeeds__factory, ModelOwnership__factory } from "../../types/index.ts";
import { Cleanup } from "../src/storage/support.ts";
import { commands, FIRST, SECOND, SECOND_KEY, startChain } from "./command.ts";

const AS_SECOND = { NEURA_PRIVATE_KEY: SECOND_KEY };
const WEIGHTS = `0x${"22".repeat(32)}`;

describe("tasks: model", function () {
  this.timeout(180_000);
  const cleanup = new Cleanup();
  let run: ReturnType<typeof commands>;
  let connection: Awaited<ReturnType<typeof network.create>>;
  let directory: string;

  before(async () => {
    const url = await startChain(cleanup);
    directory = cleanup.directory();
    run = commands({
      NEURA_RPC_URL: url,
      NEURA_DEPLOYMENT: join(directory, "deployment.json"),
      NEURA_HOME: cleanup.directory(),
    });
    connection = await network.create({ network: "local", override: { url } });
    const deployed = await run(["deploy"]);
    expect(deployed.code, deployed.stderr).to.equal(0);
  });
  after(() => cleanup.run());

  /** The result of a command that has to succeed. */
  async function json(words: string[], environment = {}): Promise<Record<string, unknown>> {
    const { code, stderr, json: found } = await run([...words, "--json"], environment);
    expect(code, stderr).to.equal(0);
    return found;
  }

  /** The same for people, whatever the widths of its columns are. */
  async function text(words: string[], environment = {}): Promise<string> {
    const { code, stderr, stdout } = await run(words, environment);
    expect(code, stderr).to.equal(0);
    return stdout.replaceAll(/ {2,}/g, "  ");
  }

  async function errorCode(words: string[], environment = {}): Promise<unknown> {
    const { json: found } = await run([...words, "--json"], environment);
    const error: unknown = found["error"];
    return typeof error === "object" && error !== null && "code" in error ? error.code : undefined;
  }

  it("goes from an entry to its owners, their deeds, a picture and votes", async () => {
    const { ethers } = connection;
    const [first] = await ethers.getSigners();
    if (first === undefined) throw new Error("no account");

    // ---- Made, and named by the model ----
    expect(
      (await json(["model", "register", WEIGHTS, "--royalty-bps", "500", "--licence", "MIT"]))["model"],
    ).to.equal(1);
    const issue = [
      ...[
        "model",
        "issue",
        "Letter reader",
        "READ",
        "400",
        "--allocate",
        `${SECOND}=2.5`,
        "--licence",
        "MIT",
      ],
      ...["--model", "1", "--cap-units", "500", "--minter", FIRST, "--mint-until", "2099-01-01"],
    ];
    expect(await text([...issue, "--dry-run"])).to.match(
      /^Takes +\d{7} gas, 0\.0\d+ ANKR at the present price; nothing/m,
    );
    const made = await run(issue);
    expect(made.code, made.stderr).to.equal(0);
    expect(made.stderr).to.match(/^Making it takes \d{7} gas, 0\.0\d+ ANKR at the present price\.$/m);
    expect(made.stdout).to.contain("Made         400 READ, for 2 accounts").and.to.contain("1 names it now");
    const address = /^Token +(0x\w{40}): add this to a wallet as a token$/m.exec(made.stdout)?.[1] ?? "";
    const mirror =
      /^Deeds at +(0x\w{40}): add this to a wallet as a collection/m.exec(made.stdout)?.[1] ?? "";
    const base = ModelOwnership__factory.connect(address, first);
    const deeds = ModelDeeds__factory.connect(mirror, first);
    expect(await base.balanceOf(SECOND)).to.equal(parseEther("2.5"));
    const [model, shown] = await Promise.all([text(["model", "show", "1"]), json(["model", "show", mirror])]);
    expect(model).to.contain(
      `Owned through  READ (Letter reader), ${address}: 400 units of 1 READ, 130 deeds at ${mirror}`,
    );
    expect(shown["ownership"]).to.include({ address, mirror, licence: "MIT", maxUnits: 500, deeds: 130 });

    // ---- Deeds ----
    const own = await json(["model", "deeds", "1"], AS_SECOND);
    expect(own).to.include({ schema: "neura/model-deeds/1", offset: 0, limit: 100 });
    expect(own["standing"]).to.deep.include({ account: SECOND, deeds: 2, ids: [1, 2], pending: 0 });
    const page = await text(["model", "deeds", address, "--account", FIRST, "--limit", "3"]);
    expect(page)
      .to.contain("Balance  397.5 READ")
      .and.to.contain("Deeds  128 of 397 whole units")
      .and.to.contain("Numbers  3-5 (3 of them)")
      .and.to.contain("More  --offset 3");

    // ---- A picture ----
    const svg = join(directory, "deed.svg");
    const render = ["model", "deeds", "1", "--render", "2"];
    expect(await text([...render, "--out", svg]))
      .to.contain("Share  0.2 %")
      .and.to.contain(`Owner  ${SECOND}`);
    expect(await readFile(svg, "utf8")).to.match(
      /^<svg .*Letter reader.*one of 500 units.*Licence: MIT.*<\/svg>$/s,
    );
    await writeFile(svg, "kept");
    expect(await errorCode([...render, "--out", svg])).to.equal("deed.exists");
    expect(await readFile(svg, "utf8")).to.equal("kept");
    const png = join(directory, "deed.png");
    await writeFile(png, "old");
    await json([...render, "--out", png, "--force"]);
    expect(await sharp(png).metadata()).to.include({ format: "png", width: 1280, height: 800 });

    // ---- Transferred ----
    const plan = await text(["model", "transfer", "1", SECOND, "200", "--dry-run"]);
    expect(plan).to.contain("Deeds  0 go along, 0 are given back, 128 are made");
    expect(plan).to.contain("Without a deed  72 units: come with whole units");
    const sold = await text(["model", "transfer", address, FIRST, "0.75 units"], AS_SECOND);
    expect(sold)
      .to.contain(`From  ${SECOND}: 2.5 READ → 1.75 READ, 2 → 1 deed`)
      .and.to.contain("Went along  2");
    const one = await json(["model", "transfer", "1", FIRST, "--deed", "1"], AS_SECOND);
    expect(one["handed"]).to.deep.equal([1]);
    expect(await deeds.ownerOf(1)).to.equal(FIRST);

    // ---- Why, and what brings the others ----
    expect(await text(["model", "why", mirror], AS_SECOND))
      .to.contain(`${SECOND} has 0.75 READ, and a deed stands for 1 READ.`)
      .and.to.contain("With 0.25 READ more it gets its first deed.");
    const why = await json(["model", "why", "1"]);
    expect(why["reasons"]).to.have.length(1);
    expect(why["reasons"]).to.have.nested.property("[0].code", "pending");
    const more = await json(["model", "materialise", "1", "20"]);
    expect(more["ids"]).to.have.length(20);
    expect(await text(["model", "release", address, "2"])).to.match(/^Given back +\d+, \d+$/m);
    const minted = await json(["model", "mint", "1", SECOND, "1.25"]);
    expect(minted["standing"]).to.deep.include({
      account: SECOND,
      deeds: 2,
      balanceWei: parseEther("2").toString(),
    });

    // ---- Who gets deeds, and votes ----
    const exempt = await text(["model", "exempt", "1", "--give-up"], AS_SECOND);
    expect(exempt).to.contain("New deeds  none come with what it receives: it has said so");
    expect(exempt).to.contain("Deeds  none, of 2 whole units");
    expect((await json(["model", "exempt", "1", "--undo"], AS_SECOND))["standing"]).to.include({ deeds: 2 });
    expect(await text(["model", "delegate", "1", "own"], AS_SECOND)).to.contain("Votes it has  2 READ");

    // ---- What cannot be done ----
    const stranger = await new DeedCertificate__factory(first).deploy();
    expect(
      await Promise.all([
        errorCode(["model", "transfer", "1", SECOND]),
        errorCode(["model", "transfer", "1", SECOND, "1000"]),
        errorCode(["model", "deeds", "1", "--out", "x.svg"]),
        errorCode(["model", "issue", "A", "B", "1", "--allocate", `${SECOND}=2`]),
        errorCode(["model", "issue", "A", "B", "1", "--minter", SECOND, "--mint-until", "soon"]),
        errorCode(["model", "exempt", "1", "--give-up", "--undo"]),
        errorCode(["model", "name", "1", address]),
        errorCode(["model", "transfer", "1", await stranger.getAddress(), "--deed", "1"]),
        errorCode(["model", "release", "1", "--uncovered", SECOND]),
      ]),
    ).to.deep.equal([
      ...["usage.transfer", "ownership.insufficient", "usage.render", "usage.allocate", "usage.moment"],
      ...["usage.exempt", "model.owned", "deed.refused", "ownership.nothing"],
    ]);
  });

  it("writes numbers in a row as one", () => {
    expect(idsText([])).to.equal("none");
    expect(idsText([7])).to.equal("7");
    expect(idsText([1, 2, 5, 6, 7, 9, 8, 7, 3])).to.equal("1, 2, 5-7, 9-7, 3");
    expect(idsText([...Array(40).keys()].map((each) => each * 2))).to.equal(
      "0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, …",
    );
  });

  it("reads amounts in units and in tokens", () => {
    const { address } = Wallet.createRandom();
    const ownership = {
      ...{ address, mirror: address, name: "Reader", symbol: "READ", decimals: 18 },
      unitWei: parseEther("100"),
    };
    for (const [given, tokens] of [
      ["2.5", "250"],
      ["2.5 units", "250"],
      ["1unit", "100"],
      ["250READ", "250"],
      ["7 read", "7"],
    ] as const) {
      expect(formatEther(parseQuantity(given, ownership)), given).to.equal(formatEther(parseEther(tokens)));
    }
    expect(parseQuantity("3wei", ownership)).to.equal(3n);
    expect(quantityText(parseEther("250"), ownership)).to.equal("250 READ (2.5 units)");
    expect(quantityText(parseEther("250"), { ...ownership, unitWei: parseEther("1") })).to.equal("250 READ");
    expect(parseUnitCount("0.5", 4n, "supply")).to.equal(2n);
    expect(() => parseUnitCount("0.3", 4n, "supply")).to.throw('The supply "0.3" is not a number of units.');
    for (const wrong of ["", ".", "1.2.3", "-1", "1e3"]) {
      expect(() => parseQuantity(wrong, ownership), wrong).to.throw("not a");
    }
    expect([parseReference("12"), parseReference(address.toLowerCase())]).to.deep.equal([12, address]);
    expect(() => parseReference("READ")).to.throw("is not an address");
  });
});
