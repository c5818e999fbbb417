import { ZeroAddress } from "ethers";

import { formatAmount, parseAmount } from "../../src/amount.ts";
import { NeuraError } from "../../src/errors.ts";
import { estimateIssue, issueOwnership } from "../../src/ownership/create.ts";
import { parseAddress } from "../address.ts";
import { openChainOf } from "../chain.ts";
import { action } from "../context.ts";
import { fields } from "../output.ts";
import { parseWhole } from "../task/request.ts";
import { parseUnitCount, quantityText } from "./ownership.ts";

const GWEI = 10n ** 9n;

interface IssueArguments {
  readonly name: string;
  readonly symbol: string;
  readonly units: string;
  readonly unit: string;
  readonly licence: string | undefined;
  readonly capUnits: string | undefined;
  readonly minter: string | undefined;
  readonly mintUntil: string | undefined;
  readonly allocate: string | undefined;
  readonly owner: string | undefined;
  readonly model: string | undefined;
  readonly dryRun: boolean;
}

export default action("neura/model-issue/1", async (given: IssueArguments, context) => {
  const { out, signal } = context;
  const { name, symbol, licence } = given;
  const self = (await context.signer()).address;
  const unitWei = parseAmount(given.unit, { symbol, decimals: 18 }, "unit");
  const supplyWei = parseUnitCount(given.units, unitWei, "supply");
  const allocations = (given.allocate?.split(",") ?? []).map((each) => {
    const [account = "", units = ""] = each.split("=").map((part) => part.trim());
    return {
      account: parseAddress(account, "account"),
      amountWei: parseUnitCount(units, unitWei, "allocation"),
    };
  });
  const restWei = allocations.reduce((rest, { amountWei }) => rest - amountWei, supplyWei);
  if (restWei < 0n) {
    throw new NeuraError("usage.allocate", `More is allocated than the supply of ${given.units} units.`, {
      next: "Allocate less with --allocate, or name a larger supply.",
    });
  }
  if ((given.minter === undefined) !== (given.mintUntil === undefined)) {
    throw new NeuraError("usage.minter", "--minter and --mint-until go together.", {
      next: "Give both, or leave both out: then nobody mints.",
    });
  }
  const settings = {
    ...{ name, symbol, licence, unitWei },
    allocations: restWei === 0n ? allocations : [...allocations, { account: self, amountWei: restWei }],
    capWei: given.capUnits === undefined ? undefined : parseUnitCount(given.capUnits, unitWei, "cap"),
    minting:
      given.minter === undefined
        ? undefined
        : { minter: parseAddress(given.minter, "minter"), untilSeconds: parseMoment(given.mintUntil ?? "") },
    owner: given.owner === undefined ? undefined : parseAddress(given.owner, "owner"),
    model: given.model === undefined ? undefined : parseWhole(given.model, "model"),
  };
  const chain = await openChainOf(context, { signing: true });
  const cost = await estimateIssue(chain, settings, { signal });
  const { currency } = chain.deployment;
  const coin = { symbol: currency.address === ZeroAddress ? currency.symbol : "coin", decimals: 18 };
  const feeWei = cost.feeWei - (cost.feeWei % GWEI);
  const costText = `${cost.gas} gas, ${formatAmount(feeWei, coin)} at the present price`;
  const holders = `${settings.allocations.length} account${settings.allocations.length === 1 ? "" : "s"}`;
  if (given.dryRun) {
    return {
      data: { ...settings, cost, sent: false },
      text: fields([
        ["Would make", `${symbol} (${name})`],
        ["Owners", holders],
        ["Takes", `${costText}; nothing was sent`],
      ]),
    };
  }
  out.note(`Making it takes ${costText}.`);
  const issued = await out.step("Making the ownership", () => issueOwnership(chain, settings, { signal }));
  const { ownership, transaction, named } = issued;
  return {
    data: { ...settings, ...issued, cost, sent: true },
    text: fields([
      ["Ownership", `${ownership.symbol} (${ownership.name})`],
      ["Token", `${ownership.address}: add this to a wallet as a token`],
      ["Deeds at", `${ownership.mirror}: add this to a wallet as a collection of NFTs`],
      ["Made", `${quantityText(supplyWei, ownership)}, for ${holders}`],
      ["Unit", `${formatAmount(unitWei, ownership)} for each deed`],
      ...(settings.model === undefined ? [] : [["Model", `${settings.model} names it now`] as const]),
      ["Took", `${transaction.gasUsed + (named?.gasUsed ?? 0n)} gas`],
      ["Use", `./neura model transfer ${ownership.address} 0x… 2.5`],
      ["Transaction", transaction.hash],
    ]),
  };
});

/** A day or a moment, `2027-12-31` or `2027-12-31T12:00:00Z`, as Unix time [s]. Error: `usage.moment`. */
function parseMoment(text: string): number {
  const milliseconds = /^\d{4}-\d\d-\d\d(T[\d:]+Z)?$/.test(text.trim()) ? Date.parse(text.trim()) : NaN;
  if (!Number.isNaN(milliseconds)) return Math.floor(milliseconds / 1000);
  throw new NeuraError("usage.moment", `${JSON.stringify(text)} is no day and no moment.`, {
    next: "Write it like 2027-12-31 or 2027-12-31T12:00:00Z (UTC).",
  });
}
