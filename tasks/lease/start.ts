import { parseAmount } from "../../src/amount.ts";
import { NeuraError } from "../../src/errors.ts";
import type { TaskRequest } from "../../src/market/prepare.ts";
import { action } from "../context.ts";
import { parseDuration } from "../duration.ts";
import { openClient, type OrderArguments, parseOrderRequest } from "../task/request.ts";
import { submitOrSign } from "../task/send.ts";

interface StartArguments extends OrderArguments {
  readonly rate: string | undefined;
  readonly readyWithin: string;
  readonly heartbeat: string;
  readonly notice: string;
  readonly idleStop: string;
}

export default action("neura/lease-start/1", async (given: StartArguments, context) => {
  const { client, deployment } = await openClient(context, { signing: true });
  const { rate, price, idleStop } = given;
  if (price !== undefined) {
    throw new NeuraError("usage.price", "A lease is paid by the second: --price is for jobs.", {
      next: "Use --rate, or --max-rate.",
    });
  }
  const asked = await parseOrderRequest(given, deployment, context);
  const startWithin = parseDuration(given.startWithin, "time to start");
  const request: TaskRequest = {
    ...asked,
    // What an open lease costs is counted by the second too.
    price:
      rate === undefined
        ? asked.price && { ...asked.price, metered: true }
        : { amountWei: parseAmount(rate, deployment.currency, "rate"), metered: true },
    completeWithinSeconds: startWithin + parseDuration(given.readyWithin, "time to be ready"),
    lease: {
      heartbeatSeconds: parseDuration(given.heartbeat, "heartbeat"),
      noticeSeconds: parseDuration(given.notice, "notice"),
      idleStopSeconds: idleStop === "off" ? 0 : parseDuration(idleStop, "idle time"),
    },
  };
  return await submitOrSign(context, { client, deployment, given, request });
});
