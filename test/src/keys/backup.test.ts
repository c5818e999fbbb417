import { copyFile, cp, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { inspect } from "node:util";
import { expect } from "chai";

import { generateKeyPair } from "../../../src/envelope/index.ts";
import { backUpKeys, restoreKeys } from "../../../src/keys/backup.ts";
import { findKey, listAccounts, listKeys, readKey, saveKey } from "../../../src/keystore.ts";
import { hexlify } from "ethers";
import { Secret } from "../../../src/secret.ts";
import { Cleanup, errorOf } from "../storage/support.ts";

const ALICE = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266";
const BOB = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";
const PASSWORD = new Secret("correct horse battery");

describe("backups of keys", function () {
  this.timeout(60_000);
  const shared = new Cleanup();
  const cleanup = new Cleanup();
  /** Made once, since a password costs half a second; each test has a copy. */
  const made = { home: "", path: "" };
  let home: string;
  let path: string;

  before(async () => {
    made.home = shared.directory();
    made.path = join(shared.directory(), "keys.backup");
    for (const account of [ALICE, BOB]) await saveKey(made.home, account, generateKeyPair());
    await backUpKeys(made.home, made.path, PASSWORD);
  });
  after(() => shared.run());
  beforeEach(async () => {
    home = cleanup.directory();
    path = join(cleanup.directory(), "keys.backup");
    await cp(made.home, home, { recursive: true });
    await copyFile(made.path, path);
  });
  afterEach(() => cleanup.run());

  it("N16_ has every key, and none that can be read without the password", async () => {
    await saveKey(home, ALICE, generateKeyPair());
    const all = join(dirname(path), "all.backup");
    await backUpKeys(home, all, PASSWORD);
    const file = await readFile(all);
    const { keys } = JSON.parse(file.toString()) as { keys: string };
    const sealed = Buffer.from(keys.slice(2), "hex");
    const { restored } = await restoreKeys(cleanup.directory(), all, PASSWORD);
    const kept = (await Promise.all([ALICE, BOB].map((account) => listKeys(home, account)))).flat();
    expect(kept).to.have.length(3);
    expect(restored).to.have.length(3);
    for (const { account, createdAt, publicKey, secretKey } of kept) {
      const secret = Buffer.from(secretKey.reveal());
      const same = restored.find((key) => secret.equals(key.secretKey.reveal()));
      expect(same).to.deep.include({ account, createdAt, publicKey });
      expect(sealed.includes(secret)).to.equal(false);
      const text = file.toString().toLowerCase();
      for (const encoding of ["hex", "base64", "base64url"] as const)
        expect(text).not.to.contain(secret.toString(encoding).toLowerCase().slice(0, 40));
    }
    expect(file.toString()).not.to.contain(PASSWORD.reveal());
  });

  it("refuses a wrong password, and shows neither password nor key", async () => {
    for (const wrong of ["correct horse batterz", "Correct horse battery", ""]) {
      const error = await errorOf(restoreKeys(home, path, new Secret(wrong)));
      expect(error).to.include({ code: "backup.wrong-password" });
      if (wrong !== "") expect(inspect(error, { depth: 9 })).not.to.contain(wrong);
    }
  });

  it("N16_ is readable by nobody else, and so is what is restored; it replaces no file", async () => {
    expect((await stat(made.path)).mode & 0o777).to.equal(0o600);
    const before = await readFile(path, "utf8");
    expect(await errorOf(backUpKeys(home, path, PASSWORD))).to.include({ code: "backup.exists" });
    expect(await readFile(path, "utf8")).to.equal(before);

    const other = join(cleanup.directory(), "deep", "home"); // nothing of it is there yet
    const { restored } = await restoreKeys(other, path, PASSWORD);
    expect(restored.map(({ account }) => account).toSorted()).to.deep.equal([ALICE, BOB].toSorted());
    for (const { path: file } of restored) {
      expect((await stat(file)).mode & 0o777).to.equal(0o600);
      for (const folder of [other, join(other, "keys"), dirname(file)])
        expect((await stat(folder)).mode & 0o777).to.equal(0o700);
    }
  });

  it("restores once: what is there already stays, byte for byte", async () => {
    const other = cleanup.directory();
    const { restored } = await restoreKeys(other, path, PASSWORD);
    const contents = async () => await Promise.all(restored.map((key) => readFile(key.path, "utf8")));
    const before = await contents();
    const again = await restoreKeys(other, path, PASSWORD);
    expect([again.restored.length, again.present.length]).to.deep.equal([0, 2]);
    expect(again.present.map((key) => key.path)).to.deep.equal(restored.map((key) => key.path));
    expect(await contents()).to.deep.equal(before);
    for (const key of restored) expect(await readdir(dirname(key.path))).to.have.length(1);
  });

  it("restores beside a broken file of the same key, which stays as it is", async () => {
    const [key] = await listKeys(home, ALICE);
    if (key === undefined) throw new Error("no key");
    await writeFile(key.path, "");
    const { restored, present } = await restoreKeys(home, path, PASSWORD);
    expect([restored.length, present.length]).to.deep.equal([1, 1]);
    expect(await readFile(key.path, "utf8")).to.equal("");
    expect((await readKey(restored[0]?.path ?? "")).publicKey).to.deep.equal(key.publicKey);
    expect(await errorOf(backUpKeys(home, `${path}.new`, PASSWORD)), "never a part of them").to.include({
      code: "keystore.invalid",
    });
  });

  it("notices every changed byte, and leaves nothing behind", async () => {
    const file = JSON.parse(await readFile(path, "utf8")) as Record<string, string>;
    const flip = (hex = "", at: number) =>
      hex.slice(0, at) + (hex[at] === "0" ? "1" : "0") + hex.slice(at + 1);
    for (const [name, at] of [
      ["keys", 2],
      ["keys", 200],
      ["keys", file["keys"]!.length - 1],
      ["salt", 5],
      ["nonce", 5],
    ] as const) {
      await writeFile(path, JSON.stringify({ ...file, [name]: flip(file[name], at) }));
      const other = cleanup.directory();
      expect(await errorOf(restoreKeys(other, path, PASSWORD))).to.include({ code: "backup.wrong-password" });
      expect(await listAccounts(other)).to.deep.equal([]);
    }
  });

  it("refuses what is no backup, in any form", async () => {
    const file = JSON.parse(await readFile(path, "utf8")) as Record<string, unknown>;
    const weak = { N: 2, r: 8, p: 1 };
    const huge = { N: 2 ** 40, r: 8, p: 1 };
    for (const text of [
      "",
      "[]",
      "null",
      "{}",
      JSON.stringify({ ...file, schema: "neura/key-backup/2" }),
      JSON.stringify({ ...file, scrypt: weak }),
      JSON.stringify({ ...file, scrypt: huge }),
      JSON.stringify({ ...file, keys: "0x00" }),
      JSON.stringify({ ...file, keys: 7 }),
    ]) {
      await writeFile(path, text);
      expect(await errorOf(restoreKeys(home, path, PASSWORD)), text).to.include({ code: "backup.invalid" });
    }
  });

  it("refuses a short password, and a machine without keys", async () => {
    const other = join(cleanup.directory(), "other.backup");
    expect(await errorOf(backUpKeys(home, other, new Secret("short")))).to.include({
      code: "usage.password",
    });
    expect(await errorOf(backUpKeys(cleanup.directory(), other, PASSWORD))).to.include({
      code: "backup.no-keys",
    });
  });

  it("adds to the keys of another machine and changes none", async () => {
    const other = cleanup.directory();
    const own = await saveKey(other, ALICE, generateKeyPair());
    const before = await readFile(own.path, "utf8");
    const { restored, present } = await restoreKeys(other, path, PASSWORD);
    expect([restored.length, present.length]).to.deep.equal([2, 0]);
    expect(await readFile(own.path, "utf8")).to.equal(before);
    for (const { account, publicKey } of restored) {
      expect((await findKey(other, account, hexlify(publicKey)))?.account).to.equal(account);
    }
  });
});
