import type { Manifest } from "../../manifest.ts";
import { type Application, checkManifest } from "./application.ts";
import { NeuraError } from "../../errors.ts";
import { noop } from "./noop/application.ts";
import { ocr } from "./ocr/application.ts";

/** The built-in applications by name. A new one is a folder beside `ocr` and a line here. */
export const applications: ReadonlyMap<string, Application> = new Map(
  [noop, ocr].map((entry) => [entry.name, entry]),
);

/**
 * The application that the manifest names, after it has checked the manifest.
 *
 * @throws NeuraError `application.unknown`, `application.bad-input`
 */
export function applicationFor(manifest: Manifest): Application {
  const application = applications.get(manifest.application);
  if (!application)
    throw new NeuraError("application.unknown", `This node has no application ${manifest.application}.`, {
      next: `Name one of: ${[...applications.keys()].join(", ")}.`,
    });
  checkManifest(application, manifest);
  return application;
}
