// Pictures of a change, drawn as the server draws them (app/images/render.py), from the original and the changed picture.

const STRONGEST_ALPHA = 0.9;
const MID_GREY = 127.5;
export const LONGEST_SIDE = 1600; // beyond it a screen shows no more, and the network saw far less
const VEIL = "rgb(150 150 150 / 0.75)";

/** The pixels of a picture in base64, shrunk where it is very large. */
export async function pixelsOf(picture) {
  const bytes = Uint8Array.from(atob(picture.data), (character) => character.charCodeAt(0));
  const shrink = Math.min(1, LONGEST_SIDE / Math.max(picture.width, picture.height));
  const [resizeWidth, resizeHeight] = [picture.width, picture.height].map((side) => Math.max(1, Math.round(side * shrink)));
  const bitmap = await createImageBitmap(new Blob([bytes], { type: picture.media_type }), {
    colorSpaceConversion: "none",
    ...(shrink < 1 ? { resizeWidth, resizeHeight, resizeQuality: "high" } : {}),
  });
  const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  return context.getImageData(0, 0, bitmap.width, bitmap.height);
}

/** A map's colours: base64 of red, green, blue of each level, lowest first. */
export function tableOf(encoded) {
  return Uint8Array.from(atob(encoded), (character) => character.charCodeAt(0));
}

/** Opacity of each level, 0 to 255: on an image, the larger the change the more opaque. */
export function opacities(levels, kind, alone) {
  return Uint8Array.from({ length: levels }, (_, level) => {
    const size = kind === "signed" ? Math.abs((2 * level) / (levels - 1) - 1) : level / (levels - 1);
    return Math.round(255 * (alone ? 1 : STRONGEST_ALPHA * size));
  });
}

/** The map alone, transparent where nothing changes; `scale` is the pixel level at the end of its bar. */
export function heatmap(before, after, { kind, table, scale, alone }) {
  const drawn = new ImageData(before.width, before.height);
  const levels = table.length / 3;
  const opacity = opacities(levels, kind, alone);
  for (let at = 0; at < drawn.data.length; at += 4) {
    const change = [0, 1, 2].map((channel) => (after.data[at + channel] - before.data[at + channel]) / 255);
    const value =
      kind === "signed"
        ? (change[0] + change[1] + change[2]) / 3
        : Math.sqrt((change[0] ** 2 + change[1] ** 2 + change[2] ** 2) / 3);
    const place = kind === "signed" ? (value / scale + 1) / 2 : value / scale;
    const level = Math.round(Math.min(1, Math.max(0, place)) * (levels - 1));
    drawn.data.set(table.subarray(3 * level, 3 * level + 3), at);
    drawn.data[at + 3] = opacity[level];
  }
  return drawn;
}

/** The change around mid-grey; a change of `scale` comes out black or white. */
export function changeAroundGrey(before, after, scale) {
  const drawn = new ImageData(before.width, before.height);
  const gain = 0.5 / scale;
  for (let at = 0; at < drawn.data.length; at += 4) {
    for (let channel = at; channel < at + 3; channel++) {
      drawn.data[channel] = MID_GREY + gain * (after.data[channel] - before.data[channel]);
    }
    drawn.data[at + 3] = 255;
  }
  return drawn;
}

export function put(canvas, pixels) {
  [canvas.width, canvas.height] = [pixels.width, pixels.height];
  canvas.getContext("2d").putImageData(pixels, 0, 0);
}

/** Grey over what the network never saw; `image` has its size and the rectangle that was seen. */
export function veil(canvas, image) {
  const { left, top, width, height } = image.seen;
  const context = canvas.getContext("2d");
  context.scale(canvas.width / image.width, canvas.height / image.height);
  context.fillStyle = VEIL;
  context.beginPath();
  context.rect(0, 0, image.width, image.height);
  context.rect(left, top, width, height);
  context.fill("evenodd");
}

/** The strip that says what a map's colours mean, over a checkerboard that shows where it lets the image through. */
export function colorBar(canvas, { kind, table, alone }) {
  const levels = table.length / 3;
  const opacity = opacities(levels, kind, alone);
  const strip = new ImageData(levels, 16);
  for (let row = 0; row < strip.height; row++) {
    for (let level = 0; level < levels; level++) {
      const board = (Math.floor(row / 4) + Math.floor(level / 12)) % 2 ? 255 : 215;
      const alpha = opacity[level] / 255;
      const color = [...table.subarray(3 * level, 3 * level + 3)].map((value) => board + alpha * (value - board));
      strip.data.set([...color, 255], 4 * (row * levels + level));
    }
  }
  put(canvas, strip);
}
