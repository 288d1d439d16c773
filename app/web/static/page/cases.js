// The images of this page and what was asked of each; knows no HTML. Whoever listens is told which case changed.

import { explain, Lost } from "./api.js";

const AT_ONCE = 2;
const FULL_SECONDS = 10; // until the next try, where the server did not say

/**
 * One request for one image. Its `state` is waiting, running, full (waits for a place on the server), done or failed;
 * `targets` are known once the network was asked, each with its latest `progress`.
 */
class Ask {
  constructor(options) {
    this.options = options;
    this.begin();
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

let cases = 0;

/** One image: `asks` has the explanation asked for, then each contrast; `chosen` is the place of the one looked at. */
class Case {
  constructor(file, options) {
    this.key = ++cases;
    this.file = file;
    this.name = file.name || "pasted image";
    this.url = URL.createObjectURL(file);
    this.ask(options);
  }

  ask(options) {
    this.asks?.forEach((one) => one.stop.abort());
    this.asks = [new Ask(options)];
    this.chosen = 0;
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
    const added = files.map((file) => new Case(file, options));
    this.all.push(...added);
    this.#work();
    return added;
  }

  /** Ask anew, with other options; what was asked before is dropped. */
  again(one, options) {
    one.ask(options);
    this.#work();
  }

  /** Ask besides: why is it not read as that class? */
  contrast(one, target) {
    const { targets, direction, ...options } = one.main.options;
    one.chosen = one.explained.length;
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
    one.chosen = 0;
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
      ask.result = await explain(one.file, ask.options, hear, stop.signal);
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
