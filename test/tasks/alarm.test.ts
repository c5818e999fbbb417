import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";

import { Notifier } from "../../src/market/alarms/notifier.ts";
import { ALARM, receiver, SECRET } from "../src/market/alarms/support.ts";
import { Cleanup } from "../src/storage/support.ts";
import { commands } from "./command.ts";

describe("tasks: alarm", function () {
  this.timeout(120_000);
  const cleanup = new Cleanup();
  after(() => cleanup.run());

  it("shows where alarms go without what is secret, and tries each place", async () => {
    const home = join(cleanup.directory(), "home");
    await mkdir(home);
    const run = commands({ NEURA_HOME: home });
    const none = await run(["alarm", "test", "--json"]);
    expect(none.code).to.equal(1);
    expect(none.json["error"]).to.include({ code: "alarm.no-sinks" });

    const { url, received } = await receiver(cleanup);
    const file = join(home, "alarm");
    const sinks = [
      { name: "mail", command: ["/bin/sh", "-c", 'cat > "$0"', file], kinds: ["failed"] },
      { name: "ops", webhook: url.href, secret: SECRET.reveal() },
      { name: "broken", command: [join(home, "nothing")] },
    ];
    const config = { schema: "neura/alarms/1", runwaySeconds: 7200, sinks };
    await writeFile(join(home, "alarms.json"), JSON.stringify(config));
    const tested = await run(["alarm", "test"]);
    expect(tested.code, tested.stderr).to.equal(1);
    expect(tested.stdout)
      .to.contain("mail    arrived")
      .and.contain("ops     arrived")
      .and.contain("broken  The command of broken cannot be started");
    expect(JSON.parse(await readFile(file, "utf8"))).to.include({ kind: "test" });
    expect(received).to.have.length(1);

    const dead = {
      name: "ops",
      kinds: undefined,
      timeoutSeconds: 1,
      send: () => Promise.reject(new Error("no route")),
    };
    const notifier = await Notifier.open({ home, sinks: [dead] });
    notifier.add([ALARM]);
    await notifier.deliver();
    notifier.close();
    const shown = await run(["alarm", "show"]);
    expect(shown.code, shown.stderr).to.equal(0);
    expect(shown.stdout)
      .to.contain("below 2 h")
      .and.contain("/bin/sh with 3 arguments; failed")
      .and.contain(`${url.origin}/…, signed with [secret]; all kinds`)
      .and.contain("failed to ops, attempts 1: no route");
    const json = await run(["alarm", "show", "--json"]);
    expect(json.json).to.include({ schema: "neura/alarm-show/1" });
    for (const { stdout, stderr } of [tested, shown, json])
      expect(stdout + stderr)
        .not.to.contain(SECRET.reveal())
        .and.not.to.contain("of-the-receiver");
  });
});
