// The images of this page and what was asked of each; knows no HTML. Whoever listens is told which case changed.

import { explain, InArchive, kept, keptImage, keptImageAddress, Lost } from "./api.js";
import { COUNTERFACTUAL } from "./options.js";
import { kindOf, span, withoutParts } from "./parts.js";

const AT_ONCE = 2;
const FULL_SECONDS = 10; // until the next try, where the server did not say

/**
 * One request for one image. Its `state` is waiting, running, full (waits for a place on the server), done or failed;
 * `targets` are known once the network was asked, each with its latest `progress`.
 */
class Ask {
  /** With the id of an explanation that the server keeps, it is had again, not asked anew; options may be null then. */
  constructor(options, id = null) {
    this.options = options;
    this.id = id;
    this.begin();
  }

  /** The result; `image` gives the image. */
  async answer(image, hear) {
    if (!this.id) return explain(await image(), this.options, hear, this.stop.signal);
    const result = await kept(this.id);
    this.options ??= optionsOf(result);
    this.hear("targets", { prediction: result.prediction, targets: result.explanations });
    return result;
  }

  begin() {
    Object.assign(this, { state: "waiting", prediction: null, targets: [], result: null, error: null, againAt: null });
    this.stop = new AbortController();
  }

  hear(name, data) {
    if (name === "started") this.started = data;
    if (name === "targets") Object.assign(this, data);
    if (name === "progress") this.targets.find((one) => one.target_id === data.target_id).progress = data;
  }

  /** How far it is, 0 to 1. */
  get share() {
    const shares = this.targets.map(({ progress }) => (progress ? progress.step / progress.steps : 0));
    return this.state === "done" ? 1 : shares.reduce((sum, share) => sum + share, 0) / (shares.length || 1);
  }
}

/** What must have been asked to get this. */
function optionsOf({ model, prediction, explanations }) {
  const [{ direction, method, rho, sweep, against_id, tiles }] = explanations;
  return {
    model: model.name,
    targets: explanations.map((one) => String(one.target_id)),
    method,
    ...(method === COUNTERFACTUAL ? {} : { direction, rho: String(rho) }),
    top_k: prediction.top.length,
    ...(sweep.length ? { sweep: sweep.length - 1 } : {}),
    ...(tiles.length ? { tile: String(Math.max(tiles[0].box.width, tiles[0].box.height)) } : {}),
    ...(against_id === null ? {} : { against: String(against_id) }),
  };
}

/** For the image that the server keeps, which is of the page, frame and window by itself. */
function withoutImageParts(options) {
  const { region } = options;
  return { ...withoutParts(options), ...(region ? { region } : {}) };
}

let cases = 0;

/**
 * One image. `asks` has the explanation asked for, then each contrast; `chosen` is the place of the one looked at, `size`
 * that of the size in its sweep, null for the size asked for. `image` gives the file, or where
 * the archive has it; `url` is where to show it from, empty until the server has read it.
 */
class Case {
  chosen = 0;
  size = null;
  known = null; // what the server last said of the image
  file = null;

  constructor(name, url, image, asks) {
    Object.assign(this, { key: ++cases, name, url, image, asks });
  }

  static of(file, options) {
    const url = file instanceof InArchive ? "" : URL.createObjectURL(file);
    const one = new Case(file.name || "pasted image", url, async () => file, [new Ask(options)]);
    return Object.assign(one, { file });
  }

  /** From explanations that the server keeps: the main one, then contrasts. */
  static kept(ids, name, options) {
    const [id] = ids;
    const asks = ids.map((one) => new Ask(one === id ? options : null, one));
    return new Case(name, keptImageAddress(id), () => keptImage(id), asks);
  }

  ask(options) {
    this.asks.forEach((one) => one.stop.abort());
    this.known = this.facts;
    Object.assign(this, { asks: [new Ask(options)], chosen: 0, size: null });
  }

  /** What the server says of the image: its format and size, which page or frame it is, and of how many. */
  get facts() {
    return this.main.result?.image ?? this.main.started?.image ?? this.known;
  }

  /** Which page or frame it is. */
  get number() {
    const kind = kindOf(this.facts);
    return kind && Number(this.main.options?.[kind] ?? this.facts[kind]);
  }

  /** Its name, with page or frame where the file has several. */
  get title() {
    const kind = kindOf(this.facts);
    return kind ? `${this.name}, ${kind} ${this.number}` : this.name;
  }

  /** Ids under which the server keeps what was asked; empty where it does not keep the main one. */
  get ids() {
    const results = this.asks.map((ask) => ask.result).filter((result) => result?.kept_until);
    return this.main.result?.kept_until ? results.map((result) => result.id) : [];
  }

  /** Choose what is looked at: the place among `explained`. */
  choose(place) {
    Object.assign(this, { chosen: place, size: null });
  }

  /** What is explained, ask by ask: each `{ask, target, explanation}`, the last null until it is done. */
  get explained() {
    return this.asks.flatMap((ask) =>
      ask.targets.map((target, index) => ({ ask, target, explanation: ask.result?.explanations[index] ?? null })),
    );
  }

  get main() {
    return this.asks[0];
  }

  /** The ask that wants attention: the latest that is not done. */
  get open() {
    return this.asks.findLast((ask) => ask.state !== "done") ?? null;
  }
}

/** Tells `change`, with the case, whatever changes; and `lost` where a connection broke off. */
export class Cases extends EventTarget {
  all = [];
  #held = false;

  add(files, options) {
    const added = files.map((file) => Case.of(file, options));
    this.all.push(...added);
    this.#work();
    return added;
  }

  /** Have again what the server keeps under these ids; `options` of the first, where they are known. */
  restore(ids, name, options = null) {
    const one = Case.kept(ids, name, options);
    this.all.push(one);
    this.#work();
    return one;
  }

  /** Ask anew, with other options; what was asked before is dropped. */
  again(one, options) {
    one.ask(one.file ? options : withoutImageParts(options));
    this.#work();
  }

  /** Make a case of every page or frame of its file, or of the next many, as the one that is there was asked. */
  every(one) {
    const { facts, number } = one;
    const kind = kindOf(facts);
    const [first, last] = span(facts, number);
    const { region, ...shared } = one.main.options;
    const options = kind === "frame" && region ? { ...shared, region } : shared;
    const there = new Set(this.all.filter(({ file }) => file === one.file).map((other) => other.number));
    const wanted = Array.from({ length: last - first + 1 }, (_, at) => first + at).filter((page) => !there.has(page));
    const added = wanted.map((page) => Object.assign(Case.of(one.file, { ...options, [kind]: page }), { known: facts }));
    this.all.splice(this.all.indexOf(one) + 1, 0, ...added);
    this.#work();
    return added.length;
  }

  /** Ask besides: why is it not read as that class? */
  contrast(one, target) {
    const { targets, direction, methods, margin, method, ...others } = one.main.options;
    const asked = method === COUNTERFACTUAL ? others : { ...others, method };
    const options = one.file ? asked : withoutImageParts(asked);
    Object.assign(one, { chosen: one.explained.length, size: null });
    one.asks.push(new Ask({ ...options, targets: [target], against: "predicted" }));
    this.#work();
  }

  retry(ask) {
    ask.begin();
    this.#work();
  }

  /** Try all again that a lost connection cut off. */
  retryLost() {
    for (const ask of this.lost) ask.begin();
    this.#work();
  }

  get lost() {
    return this.all.flatMap((one) => one.asks).filter((ask) => ask.error instanceof Lost);
  }

  /** Begin nothing more until `release`. */
  hold() {
    this.#held = true;
  }

  release() {
    this.#held = false;
    this.#work();
  }

  /** Forget a contrast that failed. */
  drop(one, ask) {
    ask.stop.abort();
    one.asks.splice(one.asks.indexOf(ask), 1);
    Object.assign(one, { chosen: 0, size: null });
    this.#tell(one);
  }

  cancel(ask) {
    ask.stop.abort();
    if (ask.state !== "running") this.#fail(ask, { kind: "cancelled" });
  }

  remove(one) {
    one.asks.forEach((ask) => ask.stop.abort());
    URL.revokeObjectURL(one.url);
    this.all.splice(this.all.indexOf(one), 1);
    this.#tell(one);
  }

  #tell(one) {
    this.dispatchEvent(new CustomEvent("change", { detail: one }));
  }

  #work() {
    const asks = this.all.flatMap((one) => one.asks.map((ask) => [one, ask]));
    const running = asks.filter(([, ask]) => ask.state === "running").length;
    const waiting = asks.filter(([, ask]) => ask.state === "waiting");
    const free = this.#held ? 0 : Math.max(0, AT_ONCE - running);
    waiting.slice(0, free).forEach(([one, ask]) => this.#run(one, ask));
    this.all.forEach((one) => this.#tell(one));
  }

  async #run(one, ask) {
    ask.state = "running";
    const { stop } = ask;
    const hear = (name, data) => {
      ask.hear(name, data);
      this.#tell(one);
    };
    try {
      ask.result = await ask.answer(one.image, hear);
      ask.state = "done";
    } catch (error) {
      if (stop !== ask.stop) return; // it was begun anew meanwhile
      if (error.kind === "full" && !stop.signal.aborted) this.#comeAgain(ask, error);
      else this.#fail(ask, stop.signal.aborted ? { kind: "cancelled" } : error);
      if (ask.error instanceof Lost) this.dispatchEvent(new Event("lost"));
    }
    this.#work();
  }

  #comeAgain(ask, error) {
    const seconds = error.retrySeconds ?? FULL_SECONDS;
    const { stop } = ask;
    Object.assign(ask, { state: "full", error, againAt: Date.now() + 1000 * seconds });
    setTimeout(() => ask.state === "full" && ask.stop === stop && this.retry(ask), 1000 * seconds);
  }

  #fail(ask, error) {
    Object.assign(ask, { state: "failed", error });
    this.all.filter((one) => one.asks.includes(ask)).forEach((one) => this.#tell(one));
  }
}
