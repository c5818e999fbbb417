import { formatAmount, parseAmount, type Unit } from "../../src/amount.ts";
import { messageOf, NeuraError } from "../../src/errors.ts";
import type { LeaseReport } from "../../src/market/leasing.ts";
import type { TopUpRule } from "../../src/market/runway.ts";
import type { TaskStatus } from "../../src/market/status.ts";
import { action } from "../context.ts";
import { formatDuration, parseDuration } from "../duration.ts";
import { openClient } from "../task/request.ts";
import { detachable, headline, statusText } from "../task/show.ts";

interface WatchArguments {
  readonly id: string;
  readonly topUpBelow: string | undefined;
  readonly topUpTo: string | undefined;
  readonly ceiling: string | undefined;
  readonly downLimit: string;
  readonly interval: string;
}

export default action("neura/lease-watch/1", async (given: WatchArguments, context) => {
  const { id, downLimit, interval } = given;
  const { out, signal } = context;
  const { client, deployment } = await openClient(context, { signing: true });
  const { currency } = deployment;
  const options = {
    topUp: parseRule(given, currency),
    downLimitSeconds: downLimit === "off" ? 0 : parseDuration(downLimit, "limit"),
    intervalMs: parseDuration(interval, "interval") * 1000,
    signal,
  };
  const resume = {
    message: "Stopped watching; the lease goes on, and nobody tops it up or closes it.",
    next: `Watch it again with ./neura lease watch ${id}`,
  };
  const last = await detachable(context, resume, async () => {
    let latest: TaskStatus | undefined;
    for await (const report of client.watchLease(id, options)) {
      if ("status" in report) latest = report.status;
      out.note(`${new Date().toISOString()}  ${lineOf(report, currency)}`);
    }
    if (latest === undefined) throw new Error("a watch without a status");
    return latest;
  });
  return { data: { ...last }, text: statusText(last, currency) };
});

function parseRule({ topUpBelow, topUpTo, ceiling }: WatchArguments, currency: Unit): TopUpRule | undefined {
  if (topUpBelow === undefined && topUpTo === undefined && ceiling === undefined) return undefined;
  if (topUpBelow === undefined || topUpTo === undefined || ceiling === undefined) {
    throw new NeuraError("usage.top-up-rule", "A rule for topping up has three parts.", {
      next: "Give --top-up-below, --top-up-to and --ceiling, or none of them.",
    });
  }
  return {
    belowSeconds: parseDuration(topUpBelow, "time below"),
    toSeconds: parseDuration(topUpTo, "time to fill up to"),
    ceilingWei: parseAmount(ceiling, currency, "ceiling"),
  };
}

function lineOf(report: LeaseReport, currency: Unit): string {
  switch (report.event) {
    case "status": {
      const { lease } = report.status;
      const left = lease?.runway === undefined ? "" : `, ${formatDuration(lease.runway.secondsLeft)} left`;
      return `${headline(report.status)}${left}`;
    }
    case "probe":
      return report.probe.isUp ? "It answers." : `It does not answer: ${report.probe.reason ?? ""}`;
    case "topped-up": {
      const { seconds, costWei } = report.topUp;
      return `Bought ${formatDuration(seconds)} more for ${formatAmount(costWei, currency)}.`;
    }
    case "ceiling":
      return "WARNING: the ceiling leaves less than the rule would buy.";
    case "closed":
      return `Closed: it did not answer for ${formatDuration(report.downSeconds)}.`;
    case "failed":
      return `WARNING: ${report.what} failed, and is tried again: ${messageOf(report.error)}`;
  }
}
