import { formatAmount, parseAmount } from "../../src/amount.ts";
import { NeuraError } from "../../src/errors.ts";
import { limitsPath, loadLimits, saveLimits } from "../../src/market/limits.ts";
import { action } from "../context.ts";
import { fields } from "../output.ts";

type Name = "task" | "hour" | "month";

export default action(
  "neura/limit-set/1",
  async (args: Record<Name, string | undefined>, { home, deployment }) => {
    const { currency } = await deployment();
    const given = (name: Name) => {
      const amount = args[name];
      return amount === undefined ? undefined : parseAmount(amount, currency, `limit for a ${name}`);
    };
    const [taskWei, hourWei, monthWei] = [given("task"), given("hour"), given("month")];
    if (taskWei === undefined && hourWei === undefined && monthWei === undefined) {
      throw new NeuraError("usage.limit", "No limit is named.", {
        next: "Use --task, --hour or --month with an amount.",
      });
    }
    // A file with faults stands in the way of a part, not of the whole.
    const isWhole = taskWei !== undefined && hourWei !== undefined && monthWei !== undefined;
    const present = isWhole ? { taskWei, hourWei, monthWei } : await loadLimits(home, currency);
    const limits = {
      taskWei: taskWei ?? present.taskWei,
      hourWei: hourWei ?? present.hourWei,
      monthWei: monthWei ?? present.monthWei,
    };
    await saveLimits(home, limits, currency);
    return {
      data: { path: limitsPath(home), ...limits },
      text: fields([
        ["For one task", formatAmount(limits.taskWei, currency)],
        ["Within an hour", formatAmount(limits.hourWei, currency)],
        ["Within 30 days", formatAmount(limits.monthWei, currency)],
      ]),
    };
  },
);
