// Options that name a part of a file, and what the server says of its parts; knows no HTML.

const AT_ONCE = 50; // pages that become cases by one press

export const PARTS = ["page", "frame", "window", "region"]; // options that say it

/** Of these options, or all but. */
export const partsIn = (options) => only(options, (name) => PARTS.includes(name));
export const withoutParts = (options) => only(options, (name) => !PARTS.includes(name));

function only(options, wanted) {
  return Object.fromEntries(Object.entries(options).filter(([name]) => wanted(name)));
}

/** "page" or "frame", where the file has several; else null. */
export function kindOf(image) {
  return image?.pages > 1 ? "page" : image?.frames > 1 ? "frame" : null;
}

/** First and last of the pages that "every page" makes cases of: all, or the next many. */
export function span(image, number) {
  const count = image[`${kindOf(image)}s`];
  const first = count <= AT_ONCE ? 1 : number;
  return [first, Math.min(count, first + AT_ONCE - 1)];
}
