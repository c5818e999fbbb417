import { leaveSeats, releaseSeats } from "../../src/jury/seats.ts";
import { action } from "../context.ts";
import { fields } from "../output.ts";
import { openMarketOf } from "../task/request.ts";
import { parseClass } from "./class.ts";

const leaving = (name: string, title: string, send: typeof leaveSeats) =>
  action(`neura/jury-${name}/1`, async (given: { class: string }, context) => {
    const { out, signal } = context;
    const market = await openMarketOf(context, { signing: true });
    const ofClass = parseClass(given.class);
    const { seats, transaction } = await out.step(title, () => send(market, { class: ofClass, signal }));
    return {
      data: { class: ofClass, seats, transaction },
      text: fields([
        ["Seats", `${seats.join(", ")} of class ${ofClass}`],
        ["Transaction", transaction.hash],
      ]),
    };
  });

export const leave = leaving("leave", "Leaving", leaveSeats);
export const release = leaving("release", "Making their stake free again", releaseSeats);
