import { heightOf, widthOf } from "./geometry.ts";
import type { Quad } from "./geometry.ts";
import type { Picture } from "./picture.ts";

/**
 * Cuts a rectangle in any position out of a picture, upright and scaled to `width` x `height`: bilinear, and where it
 * shrinks the mean of as many samples as keep the detail. Beyond the picture its border goes on.
 */
export function cropQuad(picture: Picture, quad: Quad, width: number, height: number): Picture {
  const rgb = new Uint8Array(width * height * 3);
  const [origin, right, , down] = quad;
  const samplesX = Math.max(1, Math.round(widthOf(quad) / width));
  const samplesY = Math.max(1, Math.round(heightOf(quad) / height));
  const samples = samplesX * samplesY;
  const [stepsX, stepsY] = [width * samplesX, height * samplesY];
  const [uX, uY] = [(right[0] - origin[0]) / stepsX, (right[1] - origin[1]) / stepsX];
  const [vX, vY] = [(down[0] - origin[0]) / stepsY, (down[1] - origin[1]) / stepsY];
  const stride = picture.width * 3;
  const [lastX, lastY] = [picture.width - 1, picture.height - 1];
  const source = picture.rgb;
  for (let row = 0, to = 0; row < height; row++)
    for (let column = 0; column < width; column++, to += 3) {
      let red = 0;
      let green = 0;
      let blue = 0;
      for (let sy = 0; sy < samplesY; sy++)
        for (let sx = 0; sx < samplesX; sx++) {
          const a = column * samplesX + sx + 0.5;
          const b = row * samplesY + sy + 0.5;
          // Half a pixel back: from the corner of a pixel to its centre.
          const x = Math.max(0, Math.min(lastX, origin[0] + a * uX + b * vX - 0.5));
          const y = Math.max(0, Math.min(lastY, origin[1] + a * uY + b * vY - 0.5));
          const x0 = Math.floor(x);
          const y0 = Math.floor(y);
          const fx = x - x0;
          const fy = y - y0;
          // The four pixels around it, and how much each counts.
          const p00 = y0 * stride + x0 * 3;
          const p01 = x0 < lastX ? p00 + 3 : p00;
          const below = y0 < lastY ? stride : 0;
          const p10 = p00 + below;
          const p11 = p01 + below;
          const w00 = (1 - fx) * (1 - fy);
          const w01 = fx * (1 - fy);
          const w10 = (1 - fx) * fy;
          const w11 = fx * fy;
          red +=
            (source[p00] ?? 0) * w00 +
            (source[p01] ?? 0) * w01 +
            (source[p10] ?? 0) * w10 +
            (source[p11] ?? 0) * w11;
          green +=
            (source[p00 + 1] ?? 0) * w00 +
            (source[p01 + 1] ?? 0) * w01 +
            (source[p10 + 1] ?? 0) * w10 +
            (source[p11 + 1] ?? 0) * w11;
          blue +=
            (source[p00 + 2] ?? 0) * w00 +
            (source[p01 + 2] ?? 0) * w01 +
            (source[p10 + 2] ?? 0) * w10 +
            (source[p11 + 2] ?? 0) * w11;
        }
      rgb[to] = Math.round(red / samples);
      rgb[to + 1] = Math.round(green / samples);
      rgb[to + 2] = Math.round(blue / samples);
    }
  return { width, height, rgb };
}
