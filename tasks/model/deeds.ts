import { NeuraError } from "../../src/errors.ts";
import { readDeedPicture, writePicture } from "../../src/ownership/picture.ts";
import { readStanding } from "../../src/ownership/standing.ts";
import { accountOf, openChainOf } from "../chain.ts";
import { action } from "../context.ts";
import { fields } from "../output.ts";
import { parseWhole } from "../task/request.ts";
import { ownershipText, parseDeed, parseReference, standingRows } from "./ownership.ts";

interface DeedsArguments {
  readonly ownership: string;
  readonly account: string | undefined;
  readonly offset: string;
  readonly limit: string;
  readonly render: string | undefined;
  readonly out: string | undefined;
  readonly force: boolean;
}

export default action("neura/model-deeds/1", async (given: DeedsArguments, context) => {
  const { signal } = context;
  const reference = parseReference(given.ownership);
  const chain = await openChainOf(context);
  if (given.render !== undefined) {
    const id = parseDeed(given.render);
    const path = given.out ?? `deed-${id}.svg`;
    const { ownership, owner, image, ...deed } = await readDeedPicture(chain, reference, id, { signal });
    await writePicture(path, image, { replace: given.force });
    return {
      data: { ownership, owner, ...deed, type: image.type, file: path },
      text: fields([
        ["Ownership", ownershipText(ownership)],
        ["Deed", `${id}: ${deed.name}`],
        ["Owner", owner],
        ...deed.attributes.map(({ name, value }) => [name, value] as const),
        ["Picture", path],
      ]),
    };
  }
  if (given.out !== undefined || given.force) {
    throw new NeuraError("usage.render", "--out and --force are for a picture.", {
      next: "Say which deed's with --render, like --render 17 --out deed.svg.",
    });
  }
  const account = await accountOf(context, given.account);
  const page = { offset: parseWhole(given.offset, "offset"), limit: parseWhole(given.limit, "limit") };
  const { ownership, standing } = await readStanding(chain, reference, account, { ...page, signal });
  const next = page.offset + standing.ids.length;
  return {
    data: { ownership, standing, ...page },
    text: fields([
      ["Ownership", ownershipText(ownership)],
      ["Deeds at", ownership.mirror],
      ...standingRows(ownership, standing),
      ...(next < standing.deeds ? [["More", `--offset ${next}`] as const] : []),
    ]),
  };
});
