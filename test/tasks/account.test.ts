import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";

import { Cleanup } from "../src/storage/support.ts";
import { commands, FIRST, SECOND, SECOND_KEY, startChain } from "./command.ts";

describe("tasks: account key", function () {
  this.timeout(120_000);
  const cleanup = new Cleanup();
  let home: string;
  let run: ReturnType<typeof commands>;

  before(async () => {
    home = join(cleanup.directory(), "home");
    const record = join(cleanup.directory(), "deployment.json");
    run = commands({ NEURA_RPC_URL: await startChain(cleanup), NEURA_DEPLOYMENT: record, NEURA_HOME: home });
    expect((await run(["deploy"])).code).to.equal(0);
  });
  after(() => cleanup.run());

  it("creates keys beside each other, publishes the newest, and shows where each is", async () => {
    const none = await run(["account", "key", "publish", "--json"]);
    expect(none.code).to.equal(1);
    expect(none.json["error"]).to.include({ code: "key.none" });

    const first = await run(["account", "key", "create", "--json"]);
    expect(first.code, first.stderr).to.equal(0);
    expect(first.json).to.include({ schema: "neura/account-key-create/1", account: FIRST });
    expect(first.stderr)
      .to.contain("without it nobody can, you included")
      .and.to.contain("account key backup");
    const path = String(first.json["path"]);
    expect((await stat(path)).mode & 0o777).to.equal(0o600);
    expect((await stat(join(home, "keys", FIRST))).mode & 0o777).to.equal(0o700);

    const published = await run(["account", "key", "publish", "--json"]);
    expect(published.code, published.stderr).to.equal(0);
    expect(published.json).to.include({ account: FIRST, epoch: 1, publicKey: first.json["publicKey"] });
    const twice = await run(["account", "key", "publish", "--json"]);
    expect(twice.json["error"]).to.include({ code: "key.published" });

    const text = await readFile(path, "utf8");
    const second = await run(["account", "key", "create", "--json"]);
    expect(second.json["publicKey"]).to.not.equal(first.json["publicKey"]);
    expect(await readFile(path, "utf8"), "the first key's file").to.equal(text);

    const shown = await run(["account", "key", "show", "--json"]);
    expect(shown.json["keys"]).to.have.length(2);
    const lines = (await run(["account", "key", "show"])).stdout.split("\n");
    expect(lines[1]).to.contain(`${String(first.json["publicKey"])}  epoch 1  ${path}`);
    expect(lines[2]).to.contain(`${String(second.json["publicKey"])}  not published`);
    const elsewhere = await run(["account", "key", "show"], { NEURA_HOME: cleanup.directory() });
    expect(elsewhere.stdout).to.contain("epoch 1  NOT ON THIS MACHINE");
  });

  it("N16_ never prints a secret key", async () => {
    const [name = ""] = await readdir(join(home, "keys", FIRST));
    const { secretKey } = JSON.parse(await readFile(join(home, "keys", FIRST, name), "utf8")) as {
      secretKey: string;
    };
    for (const words of [["create"], ["show"], ["publish"], ["show", "--json"]]) {
      const { stdout, stderr } = await run(["account", "key", ...words]);
      expect(stdout + stderr).not.to.contain(secretKey.slice(2));
    }
    const wrong = `0x${"ff".repeat(32)}`;
    const { stderr, code } = await run(["account", "key", "show"], { NEURA_PRIVATE_KEY: wrong });
    expect(code).to.equal(2);
    expect(stderr).not.to.contain(wrong.slice(2));
  });

  it("carries all keys to another machine in one file", async () => {
    await run(["account", "key", "create"], { NEURA_PRIVATE_KEY: SECOND_KEY });
    const file = join(cleanup.directory(), "keys.backup");
    const password = { NEURA_BACKUP_PASSWORD: "correct horse battery" };

    const unasked = await run(["account", "key", "backup", file]);
    expect(unasked.code, "without a password").to.equal(2);
    const backup = await run(["account", "key", "backup", file, "--json"], password);
    expect(backup.code, backup.stderr).to.equal(0);
    expect((await stat(file)).mode & 0o777).to.equal(0o600);
    const again = await run(["account", "key", "backup", file, "--json"], password);
    expect(again.json["error"]).to.include({ code: "backup.exists" });

    const other = { NEURA_HOME: join(cleanup.directory(), "other"), NEURA_RPC_URL: "http://127.0.0.1:1" };
    const wrong = await run(["account", "key", "restore", file, "--json"], {
      ...other,
      NEURA_BACKUP_PASSWORD: "horse",
    });
    expect(wrong.json["error"]).to.include({ code: "backup.wrong-password" });
    const restored = await run(["account", "key", "restore", file, "--json"], { ...other, ...password });
    expect(restored.code, restored.stderr).to.equal(0);
    for (const account of [FIRST, SECOND]) {
      const names = await readdir(join(home, "keys", account));
      expect(await readdir(join(other.NEURA_HOME, "keys", account))).to.deep.equal(names);
      for (const name of names) {
        const copy = await readFile(join(other.NEURA_HOME, "keys", account, name), "utf8");
        expect(copy).to.equal(await readFile(join(home, "keys", account, name), "utf8"));
      }
    }
    const twice = await run(["account", "key", "restore", file, "--json"], { ...other, ...password });
    expect(twice.json["restored"]).to.deep.equal([]);
    expect(twice.json["present"]).to.deep.equal(restored.json["restored"]);
  });
});
