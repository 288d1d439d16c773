// Which part of its file an image is: page or frame, window of levels, region; and the controls to take another.

import { kindOf, partsIn, span } from "./parts.js";
import { Region } from "./region.js";
import { partOf } from "./words.js";

export class Part {
  #shown = ""; // what the fields were last set to, so that nobody's typing is written over

  /** `acts` has part(changes), to ask again with other options, null for none; every(); and say(text). */
  constructor(article, zoom, acts) {
    const find = (selector) => article.querySelector(selector);
    Object.assign(this, { root: find("#part"), said: find("#part-said"), numbers: find("#numbers"), levels: find("#levels") });
    this.find = find;
    this.number = find("#number");
    this.region = new Region(find("#region"), find("[data-pane=original] .frame"), zoom, {
      explain: (region) => acts.part({ region }),
      say: acts.say,
    });
    const go = (number) => acts.part({ [this.kind]: number, ...(this.kind === "page" ? { region: null } : {}) });
    for (const step of [-1, 1]) {
      find(`#numbers [data-step="${step}"]`).addEventListener("click", () => go(this.at + step));
    }
    this.#on(this.numbers, () => go(Number(this.number.value)));
    find("#every").addEventListener("click", () => acts.every());
    this.#on(this.levels, () => acts.part({ window: `${find("#level-center").value},${find("#level-width").value}` }));
    find("#own-levels").addEventListener("click", () => acts.part({ window: null }));
  }

  #on(form, act) {
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      act();
    });
  }

  /** Of this case; of one that only the server keeps, whose file is not here, just the region can be another. */
  show(one) {
    const { facts: image, number } = one;
    const options = one.main.options ?? {};
    this.root.hidden = !image;
    if (!image) return;
    [this.kind, this.at] = [kindOf(image), number];
    const said = partOf({ ...image, ...(this.kind ? { [this.kind]: number } : {}) }, options.region);
    if (this.said.textContent !== said) this.said.textContent = said;
    this.numbers.hidden = !this.kind || !one.file;
    this.levels.hidden = image.format !== "DICOM" || !one.file;
    const state = JSON.stringify([one.key, partsIn(options), image]);
    if (state === this.#shown) return;
    this.#shown = state;
    this.region.show(image, options.region);
    if (this.kind) this.#numbers(image);
    const window = options.window ? String(options.window).split(",") : [image.window?.center, image.window?.width];
    [this.find("#level-center").value, this.find("#level-width").value] = window.map((level) => level ?? "");
    this.find("#own-levels").disabled = !options.window;
  }

  #numbers(image) {
    const count = image[`${this.kind}s`];
    this.numbers.setAttribute("aria-label", `Which ${this.kind} of the file`);
    const name = this.kind === "page" ? "Page" : "Frame";
    this.find("#number-name").textContent = name;
    [this.number.value, this.number.max] = [this.at, count];
    this.find("#count").textContent = `of ${count}`;
    this.find('#numbers [data-step="-1"]').disabled = this.at <= 1;
    this.find('#numbers [data-step="1"]').disabled = this.at >= count;
    const [first, last] = span(image, this.at);
    this.find("#every").textContent = last - first + 1 === count ? `Every ${this.kind}` : `${name}s ${first} to ${last}`;
  }
}
