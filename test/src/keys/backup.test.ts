import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";

import { generateKeyPair } from "../../../src/envelope/index.ts";
import { backUpKeys, restoreKeys } from "../../../src/keys/backup.ts";
import { findKey, listAccounts, saveKey } from "../../../src/keystore.ts";
import { hexlify } from "ethers";
import { Secret } from "../../../src/secret.ts";
import { Cleanup, errorOf } from "../storage/support.ts";

const ALICE = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266";
const BOB = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";
const PASSWORD = new Secret("correct horse battery");

describe("backups of keys", function () {
  this.timeout(60_000);
  const cleanup = new Cleanup();
  let home: string;
  let path: string;

  beforeEach(async () => {
    home = cleanup.directory();
    path = join(cleanup.directory(), "keys.backup");
    for (const account of [ALICE, BOB]) await saveKey(home, account, generateKeyPair());
    await backUpKeys(home, path, PASSWORD);
  });
  afterEach(() => cleanup.run());

  it("N16_ holds no key that can be read without the password", async () => {
    const text = await readFile(path, "utf8");
    for (const account of [ALICE, BOB]) {
      const [key] = (await restoreKeys(cleanup.directory(), path, PASSWORD)).restored.filter(
        (each) => each.account === account,
      );
      const secret = Buffer.from(key?.secretKey.reveal() ?? []);
      expect(secret).to.have.length(32);
      for (const encoding of ["hex", "base64"] as const)
        expect(text).not.to.contain(secret.toString(encoding));
    }
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
