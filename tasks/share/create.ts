import { formatAmount, parseAmount } from "../../src/amount.ts";
import { NeuraError } from "../../src/errors.ts";
import { chainTime } from "../../src/market/context.ts";
import { createShare } from "../../src/share/create.ts";
import { parseAddress, parseAddresses } from "../address.ts";
import { openChainOf } from "../chain.ts";
import { action } from "../context.ts";
import { formatDuration, parseDuration } from "../duration.ts";
import { fields } from "../output.ts";
import { parseWhole } from "../task/request.ts";

interface CreateArguments {
  readonly name: string;
  readonly symbol: string;
  readonly supply: string;
  readonly allocate: string | undefined;
  readonly period: string;
  readonly claimBps: string;
  readonly tokens: string | undefined;
  readonly cap: string | undefined;
  readonly minter: string | undefined;
  readonly mintFor: string | undefined;
  readonly beneficiary: string | undefined;
  readonly owner: string | undefined;
  readonly bridge: string | undefined;
  readonly exclude: string | undefined;
}

export default action("neura/share-create/1", async (given: CreateArguments, context) => {
  const { name, symbol } = given;
  const unit = { symbol, decimals: 18 };
  const self = (await context.signer()).address;
  const supplyWei = parseAmount(given.supply, unit, "supply");
  const allocations = [...(given.allocate?.split(",") ?? [])].map((each) => {
    const [account = "", amount = ""] = each.split("=").map((part) => part.trim());
    return { account: parseAddress(account, "account"), amountWei: parseAmount(amount, unit, "allocation") };
  });
  const restWei = allocations.reduce((rest, { amountWei }) => rest - amountWei, supplyWei);
  if (restWei < 0n) {
    throw new NeuraError(
      "usage.allocate",
      `${formatAmount(supplyWei - restWei, unit)} are allocated, of a supply of ${formatAmount(supplyWei, unit)}.`,
      { next: "Allocate less with --allocate, or name a larger supply." },
    );
  }
  if ((given.minter === undefined) !== (given.mintFor === undefined)) {
    throw new NeuraError("usage.minter", "--minter and --mint-for go together.", {
      next: "Give both, or leave both out: then nobody mints.",
    });
  }
  const optionalAddress = (text: string | undefined, what: string): string | undefined =>
    text === undefined ? undefined : parseAddress(text, what);
  const minting =
    given.minter === undefined
      ? undefined
      : {
          minter: parseAddress(given.minter, "minter"),
          untilSeconds:
            (await chainTime(context.provider)) + parseDuration(given.mintFor ?? "", "time of minting"),
        };
  const settings = {
    name,
    symbol,
    periodSeconds: parseDuration(given.period, "period"),
    claimBps: parseWhole(given.claimBps, "claimable part"),
    allocations: restWei === 0n ? allocations : [...allocations, { account: self, amountWei: restWei }],
    capWei: given.cap === undefined ? undefined : parseAmount(given.cap, unit, "cap"),
    minting,
    beneficiary: optionalAddress(given.beneficiary, "beneficiary"),
    owner: optionalAddress(given.owner, "owner"),
    bridge: optionalAddress(given.bridge, "bridge"),
    tokens: parseAddresses(given.tokens, "token"),
    excluded: parseAddresses(given.exclude, "account"),
  };
  const shares = await openChainOf(context, { signing: true });
  const { address, number, transaction } = await context.out.step("Making the share", () =>
    createShare(shares, settings, { signal: context.signal }),
  );
  return {
    data: { share: address, number, ...settings, transaction },
    text: fields([
      ["Share", address],
      ["Holders", settings.allocations.length],
      ["Divides", `revenue each ${formatDuration(settings.periodSeconds)}`],
      ["Use", `./neura model register weights.safetensors --royalty-bps 500 --revenue ${address}`],
      ["Transaction", transaction.hash],
    ]),
  };
});
