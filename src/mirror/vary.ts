import { randomInt } from "node:crypto";
import { extname } from "node:path";

/**
 * The same page as another picture: cut by a few pixels, a little smaller, lighter or darker, compressed anew. Its text
 * stays legible; no byte and no size says that it was there before. What looks at the picture itself can still tell.
 */
export async function varyPicture(bytes: Uint8Array): Promise<Uint8Array> {
  // A native module: only where pictures are made.
  const { default: sharp } = await import("sharp");
  const upright = await sharp(bytes).rotate().toBuffer({ resolveWithObject: true });
  const { width, height, format } = upright.info;
  const { isPalette } = await sharp(bytes).metadata();
  const cut = (side: number): number => (side > 64 ? randomInt(4) : 0);
  const [left, top] = [cut(width), cut(height)];
  const area = {
    ...{ left, top },
    width: width - left - cut(width),
    height: height - top - cut(height),
  };
  const scale = 1 - randomInt(40_000) / 1_000_000;
  const picture = sharp(upright.data)
    .extract(area)
    .resize({ width: Math.max(1, Math.round(area.width * scale)) })
    .linear(0.98 + randomInt(40_000) / 1_000_000, 0);
  const quality = 86 + randomInt(10);
  const encoded =
    format === "png"
      ? picture.png({ palette: isPalette })
      : format === "webp"
        ? picture.webp({ quality })
        : picture.jpeg({ quality });
  return new Uint8Array(await encoded.toBuffer());
}

/** Names as scanners and cameras give them: nothing that says what a page is, or comes again. */
export function pictureName(original: string): string {
  const number = String(randomInt(10_000)).padStart(4, "0");
  const stem = ["IMG_", "scan", "Scan_", "page-", "DSC0"][randomInt(5)] ?? "scan";
  return `${stem}${number}${extname(original).toLowerCase()}`;
}
