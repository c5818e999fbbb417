import { formatAmount } from "../../src/amount.ts";
import { readSeats, type Seat } from "../../src/jury/seats.ts";
import { action } from "../context.ts";
import { formatDuration } from "../duration.ts";
import { fields } from "../output.ts";
import { openMarketOf } from "../task/request.ts";
import { parseClass } from "./class.ts";

interface SeatsArguments {
  readonly class: string;
  readonly own: boolean;
}

export default action("neura/jury-seats/1", async (given: SeatsArguments, context) => {
  const market = await openMarketOf(context, { signing: given.own });
  const { currency } = market.deployment;
  const amount = (wei: bigint): string => formatAmount(wei, currency);
  const account = given.own ? (await context.signer()).address : undefined;
  const found = await readSeats(market, { class: parseClass(given.class), account, signal: context.signal });
  return {
    data: { ...found },
    text: fields([
      ["Jury", found.jury],
      [
        "Seat",
        `${amount(found.seatWei)} of stake, ${formatDuration(found.seasoningSeconds)} older than the task`,
      ],
      ["Tasks", `of at most ${amount(found.capacityWei)}, collateral included`],
      ["Fee", `${found.feeBps / 100} % of what a task can cost, at least ${amount(found.minimumFeeWei)}`],
      [
        "Times",
        `${formatDuration(found.stepSeconds)} for each step, ${formatDuration(found.rulingSeconds)} in all`,
      ],
      ["Seats", `${found.seats.length} of class ${found.class}`],
      ...found.seats.map((seat) => [`Seat ${seat.seat}`, seatText(seat)] as const),
      ...(found.creditWei === undefined
        ? []
        : [["Earned", `${amount(found.creditWei)}, not taken out yet`] as const]),
    ]),
  };
});

function seatText({ account, voter, lostBps, releasableAtSeconds }: Seat): string {
  const left =
    releasableAtSeconds === undefined
      ? ""
      : `, left: its stake is bound until ${new Date(releasableAtSeconds * 1000).toISOString()}`;
  const lost = lostBps === 0 ? "" : `, ${lostBps / 100} % lost`;
  return account === undefined ? "given back" : `of ${account}, voter ${voter}${lost}${left}`;
}
