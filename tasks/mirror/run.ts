import { runMirrors } from "../../src/mirror/mirror.ts";
import { action } from "../context.ts";
import { EXIT, fields } from "../output.ts";
import { openMirrors } from "./open.ts";

export default action("neura/mirror-run/1", async (_: object, context) => {
  const { mirrors } = await openMirrors(context);
  const nowSeconds = Math.floor(Date.now() / 1000);
  const runs = await context.out.step("Ordering what is due", () =>
    runMirrors(mirrors, { nowSeconds, signal: context.signal }),
  );
  return {
    data: { runs },
    text:
      runs.length === 0
        ? "Nothing is due."
        : fields(
            runs.map(({ task, mirror, error }) => [
              task,
              mirror === undefined ? `failed: ${error?.message ?? ""}` : `mirrored as ${mirror.id}`,
            ]),
          ),
    exitCode: runs.some(({ error }) => error !== undefined) ? EXIT.failed : EXIT.done,
  };
});
