import sharp from "sharp";
import { isNeuraError, messageOf } from "../../../errors.ts";
import { badInput } from "../application.ts";

/** A picture as it is to be looked at: three bytes (red, green, blue) per pixel, row by row. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly rgb: Uint8Array;
}

/** More than any camera's; 64 million pixels take 192 MB once decoded. */
export const MAX_PIXELS = 64_000_000;

const LOADERS = ["VipsForeignLoadPngBuffer", "VipsForeignLoadJpegBuffer", "VipsForeignLoadWebpBuffer"];

/**
 * Leaves only the decoders that are used to whatever a stranger's bytes might reach, besides what {@link decodePicture} lets
 * through: in all of this process, from now on.
 */
export function keepOtherDecodersOut(): void {
  sharp.block({ operation: ["VipsForeignLoad"] });
  sharp.unblock({ operation: LOADERS });
}

/**
 * Decodes a PNG, JPEG or WebP file, told by its content, upright as its EXIF orientation says, on white where it
 * is transparent. Of an animation, the first picture.
 *
 * @param name for messages
 * @throws NeuraError `application.bad-input`
 */
export async function decodePicture(name: string, file: Uint8Array): Promise<Picture> {
  const kind = sniff(file);
  if (kind !== "PNG" && kind !== "JPEG" && kind !== "WebP")
    throw badInput(`${name} is not a PNG, JPEG or WebP picture; it seems to be ${kind}.`, {
      next: "Convert it to one of these and submit again.",
      details: { file: name, bytes: file.length },
    });
  try {
    // The header tells the size before a pixel is decoded.
    const { width, height } = await sharp(file, { limitInputPixels: false }).metadata();
    if (width * height > MAX_PIXELS)
      throw badInput(
        `${name} is ${width} x ${height} pixels; at most ${MAX_PIXELS / 1e6} million are read.`,
        {
          next: "Scale it down, or cut it into several pictures.",
          details: { file: name, width, height },
        },
      );
    const { data, info } = await sharp(file, { limitInputPixels: MAX_PIXELS, failOn: "error" })
      .autoOrient()
      .flatten({ background: "#fff" })
      .toColourspace("srgb")
      .raw({ depth: "uchar" })
      .toBuffer({ resolveWithObject: true });
    return { width: info.width, height: info.height, rgb: toRgb(data, info.channels) };
  } catch (error) {
    if (isNeuraError(error)) throw error;
    throw badInput(`${name} is a damaged ${kind} picture: ${messageOf(error)}.`, {
      next: "Open it in a viewer and save it anew.",
      cause: error,
      details: { file: name, bytes: file.length },
    });
  }
}

/** The picture as PNG. */
export async function encodePng({ rgb, width, height }: Picture): Promise<Uint8Array> {
  return await sharp(rgb, { raw: { width, height, channels: 3 } })
    .png()
    .toBuffer();
}

/** The picture in another size, smoothed. */
export async function scalePicture(picture: Picture, width: number, height: number): Promise<Picture> {
  const rgb = await sharp(picture.rgb, { raw: { width: picture.width, height: picture.height, channels: 3 } })
    .resize(width, height, { fit: "fill", kernel: "cubic" })
    .raw()
    .toBuffer();
  return { width, height, rgb };
}

function toRgb(data: Uint8Array, channels: number): Uint8Array {
  if (channels === 3) return data;
  const rgb = new Uint8Array((data.length / channels) * 3);
  for (let from = 0, to = 0; from < data.length; from += channels) rgb.fill(data[from] ?? 0, to, (to += 3));
  return rgb;
}

/** Beginnings of files, by what they are. */
const MAGIC: readonly (readonly [kind: string, pattern: RegExp])[] = [
  ["PNG", /^\x89PNG\r\n\x1a\n/],
  ["JPEG", /^\xff\xd8\xff/],
  ["WebP", /^RIFF[^]{4}WEBP/],
  ["a PDF document", /^[^]{0,32}%PDF-/],
  ["a GIF picture", /^GIF8/],
  ["a TIFF picture", /^(II\*\0|MM\0\*)/],
  ["a BMP picture", /^BM[^]{4}\0\0\0\0/],
  ["a HEIF or AVIF picture", /^[^]{4}ftyp(hei|mif|msf|avi)/],
  ["a video", /^[^]{4}ftyp/],
  ["an SVG drawing", /^\s*(<\?xml[^]*)?<svg/],
  ["a ZIP archive (or an office document)", /^PK[\x03\x05]/],
  ["a gzip archive", /^\x1f\x8b/],
  ["a program", /^(\x7fELF|MZ)/],
  ["a web page", /^\s*<(!doctype )?html/i],
  ["text", /^[\t\n\r\x20-\x7e]+$/],
];

/** What a file is by its first bytes, in words for a message. */
export function sniff(file: Uint8Array): string {
  if (file.length === 0) return "an empty file";
  const head = Buffer.from(file.buffer, file.byteOffset, Math.min(file.length, 256)).toString("latin1");
  return MAGIC.find(([, pattern]) => pattern.test(head))?.[0] ?? "something unknown";
}
