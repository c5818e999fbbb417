import { takeSeats } from "../../src/jury/seats.ts";
import { parseAddress } from "../address.ts";
import { action } from "../context.ts";
import { fields } from "../output.ts";
import { openMarketOf, parseWhole } from "../task/request.ts";
import { parseClass } from "./class.ts";

interface JoinArguments {
  readonly seats: string;
  readonly class: string;
  readonly voter: string | undefined;
}

export default action("neura/jury-join/1", async (given: JoinArguments, context) => {
  const { out, signal } = context;
  const market = await openMarketOf(context, { signing: true });
  const { address } = await context.signer();
  const count = parseWhole(given.seats, "number of seats");
  const ofClass = parseClass(given.class);
  const voter =
    given.voter === undefined
      ? await market.contracts.registry.operatorOf(address)
      : parseAddress(given.voter, "voter");
  const transaction = await out.step("Taking seats", () =>
    takeSeats(market, { class: ofClass, count, voter, signal }),
  );
  return {
    data: { account: address, class: ofClass, seats: count, voter, transaction },
    text: fields([
      ["Seats", `${count} of class ${ofClass}`],
      ["Voter", voter],
      ["Next", "./neura jury seats --own"],
    ]),
  };
});
