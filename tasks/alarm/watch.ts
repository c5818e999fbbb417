import { messageOf } from "../../src/errors.ts";
import { AlarmFeed } from "../../src/market/alarm-feed.ts";
import { alarmsPath, loadAlarms, openSink } from "../../src/market/alarms/config.ts";
import { Notifier, watchAlarms, type WatchReport } from "../../src/market/alarms/notifier.ts";
import { parseAddress } from "../address.ts";
import { action } from "../context.ts";
import { parseDuration } from "../duration.ts";
import { fields } from "../output.ts";
import { openMarketOf } from "../task/request.ts";

interface WatchArguments {
  readonly account: string | undefined;
  readonly interval: string;
  readonly once: boolean;
}

export default action("neura/alarm-watch/1", async (given: WatchArguments, context) => {
  const { home, out, signal } = context;
  const market = await openMarketOf(context);
  const account =
    given.account === undefined ? (await context.signer()).address : parseAddress(given.account, "account");
  const intervalMs = parseDuration(given.interval, "interval") * 1000;
  const { settings, sinks } = await loadAlarms(home);
  if (sinks.length === 0) out.note(`${alarmsPath(home)} names nowhere that alarms go: they are only shown.`);
  const notifier = await Notifier.open({ home, sinks: sinks.map(openSink), settings });
  const feed = new AlarmFeed(market, account);
  const noticed: unknown[] = [];
  let failures = 0;
  const onReport = (report: WatchReport): void => {
    if (report.event === "noticed") noticed.push(report.alarm);
    if (report.event === "delivery" && !report.delivery.delivered) failures += 1;
    out.note(`${new Date().toISOString()}  ${lineOf(report)}`);
  };
  try {
    if (given.once) {
      for (const alarm of notifier.observe(await feed.snapshot({ signal }))) {
        onReport({ event: "noticed", alarm });
      }
      for (const delivery of await notifier.deliver({ signal })) onReport({ event: "delivery", delivery });
    } else {
      out.note(
        `Watching over ${account} … (Ctrl-C stops it; the next watch notices what happened meanwhile)`,
      );
      await watchAlarms({
        snapshot: () => feed.snapshot({ signal }),
        notifier,
        intervalMs,
        signal,
        onReport,
      });
    }
  } finally {
    notifier.close();
  }
  return {
    data: { account, alarms: noticed, failures },
    text: fields([
      ["Account", account],
      ["Alarms", noticed.length],
      ["Not delivered yet", failures],
    ]),
  };
});

function lineOf(report: WatchReport): string {
  switch (report.event) {
    case "noticed":
      return `${report.alarm.kind}: ${report.alarm.message}`;
    case "delivery": {
      const { alarm, sink, delivered, error } = report.delivery;
      return `${alarm.kind} ${delivered ? "told to" : "not taken by"} ${sink}${delivered ? "" : `: ${messageOf(error)}`}`;
    }
    case "blind":
      return `WARNING: nothing can be seen: ${messageOf(report.error)}`;
  }
}
