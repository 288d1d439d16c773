// The server's interface under /v1, as far as the page uses it.

import { LONGEST_SIDE } from "./draw.js";

/** What the server answered instead of a result (RFC 9457). */
export class Problem extends Error {
  constructor(said, retrySeconds) {
    super(said.detail);
    this.kind = said.type.replace("/problems/", "");
    this.title = said.title;
    this.status = said.status;
    this.retrySeconds = retrySeconds;
  }
}

/** An image of the DICOMweb archive, in place of a file: `address` is STUDY/SERIES/IMAGE, their UIDs. */
export class InArchive {
  constructor(address) {
    this.address = address.trim();
    this.name = `archive, …${this.address.slice(-12)}`; // UIDs differ at their end
  }
}

/** No answer came, or it broke off. */
export class Lost extends Error {}

async function asked(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, options);
  } catch (error) {
    throw options.signal?.aborted ? error : new Lost();
  }
  if (answer.ok) return answer;
  const seconds = Number(answer.headers.get("retry-after")) || null;
  const said = await answer.json().catch(() => null);
  // A proxy in between answers in words of its own.
  throw said?.type ? new Problem(said, seconds) : new Lost();
}

export async function models() {
  return (await (await asked("v1/models")).json()).models;
}

export async function model(name) {
  return (await asked(`v1/models/${encodeURIComponent(name)}`)).json();
}

export async function colorMaps() {
  return (await asked("page/color-maps.json")).json();
}

/** Whether there is an archive to take images from. */
export async function hasArchive() {
  return (await (await asked("page/offers.json")).json()).archive;
}

export async function example() {
  return new File([await (await asked("docs/example.png")).blob()], "example.png", { type: "image/png" });
}

/** "ready"; "starting"; or "lost", where nobody answers. */
export async function readiness() {
  try {
    await asked("readyz");
    return "ready";
  } catch (error) {
    return error instanceof Problem ? "starting" : "lost";
  }
}

/** An explanation that the server keeps, by its id. */
export async function kept(id) {
  return (await asked(`v1/explanations/${encodeURIComponent(id)}`, { headers: { Accept: "application/json" } })).json();
}

/** The image that it explained, as it was read. */
export function keptImageAddress(id) {
  return `v1/explanations/${encodeURIComponent(id)}/image.png`;
}

/** `kind` is html or pdf. */
export function reportAddress(id, kind) {
  return `v1/explanations/${encodeURIComponent(id)}/report.${kind}`;
}

export async function keptImage(id) {
  return new File([await (await asked(keptImageAddress(id))).blob()], "image.png", { type: "image/png" });
}

/**
 * Explain an image, a file or `InArchive`; `hear(name, data)` is told each event on the way, the result is returned.
 *
 * Maps are drawn here (draw.js) from the original and the changed picture, so that their colours and opacity follow the hand;
 * the server's own, and a sweep's curve, are asked for because its report shows them. Closing the connection (`signal`) cancels the work on the server.
 */
export async function explain(image, options, hear, signal) {
  const form = new FormData();
  if (image instanceof InArchive) form.append("dicomweb", image.address);
  else form.append("image", image);
  for (const [name, values] of Object.entries(options)) {
    for (const value of [values].flat()) form.append(name, value);
  }
  form.append("include", `heatmap,perturbation,explained,original${options.sweep ? ",sweep,curve" : ""}`);
  form.append("picture_side", LONGEST_SIDE);
  const headers = { Accept: "text/event-stream" };
  const answer = await asked("v1/explanations", { method: "POST", body: form, headers, signal });
  for await (const { name, data } of events(answer.body, signal)) {
    if (name === "result") return data;
    if (name === "problem") throw new Problem(data, null);
    hear(name, data);
  }
  throw new Lost();
}

/** Server-sent events of a body; EventSource itself can only GET. */
async function* events(body, signal) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  while (true) {
    let read;
    try {
      read = await reader.read();
    } catch (error) {
      throw signal.aborted ? error : new Lost();
    }
    if (read.done) return;
    text += read.value;
    const blocks = text.split("\n\n");
    text = blocks.pop();
    for (const block of blocks) {
      const fields = Object.fromEntries(block.split("\n").map((line) => line.split(/: (.*)/s, 2)));
      if (fields.event) yield { name: fields.event, data: JSON.parse(fields.data) };
    }
  }
}
