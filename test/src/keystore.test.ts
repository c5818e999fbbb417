import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { inspect } from "node:util";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";

import { expect } from "chai";
import { hexlify } from "ethers";

import { generateKeyPair } from "../../src/envelope/index.ts";
import { findKey, homeDirectory, keyDirectory, listKeys, readKey, saveKey } from "../../src/keystore.ts";
import { Cleanup, errorOf } from "./storage/support.ts";

const ACCOUNT = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";

describe("keystore", function () {
  this.timeout(30_000);
  const cleanup = new Cleanup();
  let home: string;
  beforeEach(() => {
    home = cleanup.directory();
  });
  after(() => cleanup.run());

  it("keeps every key, oldest first, and finds one by its public key", async () => {
    const saved = [
      await saveKey(home, ACCOUNT, generateKeyPair()),
      await saveKey(home, ACCOUNT, generateKeyPair()),
    ];
    const listed = await listKeys(home, ACCOUNT.toLowerCase());
    expect(listed.map(({ path }) => path)).to.deep.equal(saved.map(({ path }) => path));
    const [first] = saved;
    if (first === undefined) throw new Error("no key");
    const found = await findKey(home, ACCOUNT, hexlify(first.publicKey));
    expect(found?.secretKey.reveal()).to.deep.equal(first.secretKey.reveal());
    expect(await findKey(home, ACCOUNT, hexlify(generateKeyPair().publicKey))).to.equal(undefined);
  });

  it("has none for an account that it does not know", async () => {
    expect(await listKeys(home, ACCOUNT)).to.deep.equal([]);
  });

  it("N16_ writes files that nobody else can read, and never shows the secret", async () => {
    const key = await saveKey(home, ACCOUNT, generateKeyPair());
    expect(statSync(key.path).mode & 0o777).to.equal(0o600);
    expect(statSync(keyDirectory(home, ACCOUNT)).mode & 0o777).to.equal(0o700);
    const secret = Buffer.from(key.secretKey.reveal()).toString("hex");
    expect(readFileSync(key.path, "utf8")).to.contain(secret);
    expect(`${JSON.stringify(key)} ${inspect(key)}`).not.to.contain(secret);
  });

  it("refuses a changed file without showing what is in it", async () => {
    const key = await saveKey(home, ACCOUNT, generateKeyPair());
    const text = readFileSync(key.path, "utf8");
    const secret = Buffer.from(key.secretKey.reveal()).toString("hex");
    const other = hexlify(generateKeyPair().publicKey);
    for (const broken of [
      text.replace("neura/key/1", "neura/key/2"),
      text.replace(hexlify(key.publicKey), other),
      text.replace(secret, secret.slice(2)),
      text.slice(0, -10),
      "null",
      "",
    ]) {
      const path = join(home, "broken.json");
      writeFileSync(path, broken);
      const error = await errorOf(readKey(path));
      expect(error.code).to.equal("keystore.invalid");
      expect(inspect(error, { depth: 9 })).not.to.contain(secret);
    }
  });

  it("N16_ finds a key beside broken files, and names them where none has it", async () => {
    const key = await saveKey(home, ACCOUNT, generateKeyPair());
    const empty = join(keyDirectory(home, ACCOUNT), "2020-01-01.json");
    const folder = join(keyDirectory(home, ACCOUNT), "2020-01-02.json");
    writeFileSync(empty, "");
    mkdirSync(folder);
    const found = await findKey(home, ACCOUNT, hexlify(key.publicKey));
    expect(found?.secretKey.reveal()).to.deep.equal(key.secretKey.reveal());
    const missing = await errorOf(findKey(home, ACCOUNT, hexlify(generateKeyPair().publicKey)));
    expect(missing.code).to.equal("keystore.invalid");
    for (const path of [empty, folder]) expect(missing.message).to.contain(path);
    expect((await errorOf(listKeys(home, ACCOUNT))).code).to.equal("keystore.invalid");
  });

  it("never overwrites: keys of one moment get a file each, also beside a broken one", async () => {
    const time = "2026-01-02T03:04:05.678Z";
    const broken = join(keyDirectory(home, ACCOUNT), "2026-01-02T03-04-05-678Z.json");
    mkdirSync(keyDirectory(home, ACCOUNT), { recursive: true });
    writeFileSync(broken, "");
    const saved = await Promise.all(
      [generateKeyPair(), generateKeyPair(), generateKeyPair()].map((keys) =>
        saveKey(home, ACCOUNT, keys, time),
      ),
    );
    expect(readFileSync(broken, "utf8")).to.equal("");
    for (const { publicKey, path } of saved) expect((await readKey(path)).publicKey).to.deep.equal(publicKey);
    expect(readdirSync(keyDirectory(home, ACCOUNT)), "and nothing else").to.have.length(4);
  });

  it("N16_ has only whole key files at every moment, so that a crash leaves no broken one", async () => {
    const directory = keyDirectory(home, ACCOUNT);
    mkdirSync(directory, { recursive: true });
    const state = { saving: true };
    const saved = (async () => {
      for (let count = 0; count < 20; count++) await saveKey(home, ACCOUNT, generateKeyPair());
    })().finally(() => (state.saving = false));
    while (state.saving) {
      for (const name of readdirSync(directory).filter((each) => each.endsWith(".json"))) {
        expect(() => JSON.parse(readFileSync(join(directory, name), "utf8")) as unknown).not.to.throw();
      }
      await nextTurn();
    }
    await saved;
  });

  it("finds its home in the environment, else in the user's directory", () => {
    expect(homeDirectory({ NEURA_HOME: "/somewhere" })).to.equal("/somewhere");
    expect(homeDirectory({})).to.match(/\.neura$/);
  });

  it("leaves other files in the directory alone", async () => {
    mkdirSync(keyDirectory(home, ACCOUNT), { recursive: true });
    writeFileSync(join(keyDirectory(home, ACCOUNT), "notes.txt"), "mine");
    expect(await listKeys(home, ACCOUNT)).to.deep.equal([]);
  });
});
