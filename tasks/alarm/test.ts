import { ZeroAddress } from "ethers";

import { messageOf, NeuraError } from "../../src/errors.ts";
import { alarmsPath, loadAlarms, openSink } from "../../src/market/alarms/config.ts";
import { testSinks } from "../../src/market/alarms/notifier.ts";
import { offlineAction } from "../context.ts";
import { EXIT, fields } from "../output.ts";

export default offlineAction("neura/alarm-test/1", async (_: object, { home, signal, out }) => {
  const { sinks } = await loadAlarms(home);
  if (sinks.length === 0) {
    throw new NeuraError("alarm.no-sinks", `${alarmsPath(home)} names nowhere that alarms go.`, {
      next: "Write a command or a webhook into it; docs/alarms.md shows how.",
    });
  }
  const results = await out.step(`Sending a test alarm to ${sinks.length} sinks`, () =>
    testSinks(sinks.map(openSink), { account: ZeroAddress, signal }),
  );
  const said = results.map(({ sink, delivered, error }) => ({
    sink,
    delivered,
    ...(delivered ? {} : { error: messageOf(error) }),
  }));
  return {
    data: { sinks: said },
    text: fields(said.map(({ sink, error }) => [sink, error ?? "arrived"])),
    exitCode: said.every(({ delivered }) => delivered) ? EXIT.done : EXIT.failed,
  };
});
