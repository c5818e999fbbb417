import { formatAmount, parseAmount, type Unit } from "../../src/amount.ts";
import { NeuraError } from "../../src/errors.ts";
import { compareMirrors, type MirrorComparison, type Side } from "../../src/mirror/compare.ts";
import { mirrorTask } from "../../src/mirror/mirror.ts";
import { parseAddress } from "../address.ts";
import { action, type Context } from "../context.ts";
import { accountPath, openMirrors } from "../mirror/open.ts";
import { type CommandResult, EXIT, fields } from "../output.ts";
import { parseWhole } from "./request.ts";
import { headline } from "./show.ts";

interface MirrorArguments {
  readonly id: string;
  readonly provider: string | undefined;
  readonly units: string | undefined;
  readonly maxPrice: string | undefined;
  readonly compare: boolean;
}

export default action("neura/task-mirror/1", async (given: MirrorArguments, context) => {
  const { id, provider, units, maxPrice, compare } = given;
  if (compare) return await compared(given, context);
  const { mirrors, deployment } = await openMirrors(context);
  const mirror = await context.out.step("Ordering it again", () =>
    mirrorTask(mirrors, id, {
      provider: provider === undefined ? undefined : parseAddress(provider, "provider"),
      units: units === undefined ? undefined : parseWhole(units, "number of units"),
      maxCostWei: maxPrice === undefined ? undefined : parseAmount(maxPrice, deployment.currency, "price"),
      signal: context.signal,
    }),
  );
  return {
    data: { task: id, mirror },
    text: fields([
      ["Mirror", mirror.id],
      ["Provider", mirror.provider],
      ["From", mirror.account],
      ["Units", mirror.units?.join(", ") ?? "all"],
      ["Then", `./neura task mirror ${id} --compare`],
    ]),
  };
});

async function compared(given: MirrorArguments, context: Context): Promise<CommandResult> {
  const { id, provider, units, maxPrice } = given;
  if (provider !== undefined || units !== undefined || maxPrice !== undefined) {
    throw new NeuraError("usage.compare", "--compare orders nothing.", {
      next: "Leave --provider, --units and --max-price out.",
    });
  }
  const { mirrors, deployment } = await openMirrors(context);
  const { out, signal, home } = context;
  const comparisons = await out.step("Comparing the deliveries", () =>
    compareMirrors(mirrors, id, { signal }),
  );
  const money = { home, currency: deployment.currency };
  return {
    data: {
      task: id,
      comparisons: comparisons.map(({ status, mirror, ...found }) => ({
        status: status.status,
        mirror: { ...mirror, status: mirror.status.status },
        ...found,
      })),
    },
    text: [...comparisons.map((each) => comparisonText(each, money)), ...majorityText(comparisons)].join(
      "\n\n",
    ),
    exitCode: comparisons.every(({ verdict }) => verdict === "agree") ? EXIT.done : EXIT.failed,
  };
}

const VERDICTS = {
  agree: "the two agree",
  disagree: "THE TWO DISAGREE",
  inconclusive: "nothing can be said",
} as const;

const SIDES = { task: "the task's provider", mirror: "the mirror's provider" } as const;

type Row = readonly [label: string, value: string];

function comparisonText(comparison: MirrorComparison, money: { home: string; currency: Unit }): string {
  const { status, mirror, verdict, units, differing, rulings, wrong, decidedBy, why } = comparison;
  return fields([
    ["Task", `${headline(status)}, by ${status.provider ?? ""}`],
    ["Mirror", `${headline(mirror.status)}, by ${mirror.provider}`],
    ["Compared", `${units.length} units`],
    ...(differing.length === 0 ? [] : [["Differ", `${differing.join(", ")}, counted from 0`] as const]),
    ...rulings.flatMap(({ unit, task, mirror: other }): Row[] => [
      [`Unit ${unit}`, `task ${task.verdict}: ${task.why}; mirror ${other.verdict}: ${other.why}`],
    ]),
    ...(why === undefined ? [] : [["Because", why] as const]),
    ["Verdict", VERDICTS[verdict]],
    ...wrong.flatMap(({ side, unit }) => [
      [
        "Wrong",
        `${SIDES[side]}, first at unit ${unit}${decidedBy === "here" ? ", by doing it here" : ""}`,
      ] as const,
      ["Dispute", disputeText(comparison, { side, unit }, money)] as const,
    ]),
    ...(verdict === "disagree" && wrong.length === 0
      ? [
          [
            "Next",
            `one of the two is wrong, and nothing here can say which: buy a third with ./neura task mirror ${status.id}`,
          ] as const,
        ]
      : []),
  ]);
}

/** What several mirrors say together, where nothing is known to be wrong. */
function majorityText(comparisons: readonly MirrorComparison[]): string[] {
  const against = comparisons.filter(({ verdict }) => verdict === "disagree");
  const known = comparisons.some(({ wrong }) => wrong.length > 0);
  if (comparisons.length < 2 || against.length === 0 || known) return [];
  if (against.length === comparisons.length)
    return ["No mirror agrees with the task: unless all of them fake, its provider is wrong."];
  const alone = against.map(({ mirror }) => mirror.provider).join(", ");
  return [`Others agree with the task, and ${alone} with none of them.`];
}

function disputeText(
  { plans, status, mirror }: MirrorComparison,
  { side, unit }: { side: Side; unit: number },
  { home, currency }: { home: string; currency: Unit },
): string {
  const plan = plans[side];
  if (plan === undefined) return "not possible: its time is over, or it was ordered without --challenge";
  const amount = (wei: bigint): string => formatAmount(wei, currency);
  const id = side === "task" ? status.id : mirror.id;
  const from =
    side === "task" ? "" : `, from the account whose key is in ${accountPath(home, mirror.account)}`;
  return (
    `it takes a bond of ${amount(plan.bondWei)}, winning brings ${amount(plan.gainWei)}, ` +
    `worth it from a price of ${amount(plan.breakEvenPriceWei)} and a chance of ${plan.breakEvenPercent} % on: ` +
    `./neura task dispute ${id} --unit ${unit} --reveal-seed${from}`
  );
}
