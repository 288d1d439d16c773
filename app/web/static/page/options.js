// The form "What to ask", and what it comes to as options of a request.

import { model, models } from "./api.js";

const LISTED = 20; // classes in the bars, at the most
const PARTS = ["page", "frame", "window"]; // of a file; a region is drawn on its picture
export const COUNTERFACTUAL = "counterfactual"; // finds size and direction by itself
export const SWEPT = 8; // sizes of a slider

export class Options {
  #cards = new Map(); // what is known of each model, by name
  #named = new Set(); // ids of further classes to explain

  constructor(form) {
    this.form = form;
    this.model = form.querySelector("#model");
    this.list = form.querySelector("#named");
    this.class = form.querySelector("#class");
    this.rho = form.querySelector("#rho");
    form.addEventListener("submit", (event) => event.preventDefault());
    this.model.addEventListener("change", () => this.#fill());
    this.class.addEventListener("change", () => this.#add());
    this.class.addEventListener("keydown", (event) => event.key === "Enter" && this.#add());
  }

  async load() {
    const served = await models();
    this.model.replaceChildren(...served.map(({ name, default: chosen }) => new Option(name, name, chosen, chosen)));
    await this.#fill();
  }

  /** Classes, sizes and scale of a model. */
  async card(name) {
    if (!this.#cards.has(name)) this.#cards.set(name, await model(name));
    return this.#cards.get(name);
  }

  async #fill() {
    this.class.disabled = true; // until its classes are known: one of another model's could be added
    const { classes, explanation } = await this.card(this.model.value).finally(() => (this.class.disabled = false));
    this.classes = classes;
    this.form.querySelector("#classes").replaceChildren(...classes.map((name) => new Option(name)));
    this.rho.placeholder = explanation.rho;
    this.#named.clear();
    this.#showNamed();
  }

  #add() {
    const wanted = this.class.value.trim().toLowerCase();
    const id = this.classes.findIndex((name) => name.toLowerCase() === wanted);
    this.class.setCustomValidity(wanted && id < 0 ? "This model has no such class; choose one of the list." : "");
    if (!wanted || !this.class.reportValidity()) return;
    this.#named.add(id);
    this.class.value = "";
    this.#showNamed();
  }

  #showNamed() {
    this.list.replaceChildren(
      ...[...this.#named].map((id) => {
        const name = this.classes[id];
        const button = Object.assign(document.createElement("button"), { type: "button", textContent: `${name} ×` });
        button.setAttribute("aria-label", `Do not explain ${name}`);
        button.addEventListener("click", () => {
          this.#named.delete(id);
          this.#showNamed();
          this.class.focus();
        });
        const item = document.createElement("li");
        item.append(button);
        return item;
      }),
    );
    this.form.dispatchEvent(new Event("change"));
  }

  /** A class as the interface takes it for sure: its id, unless a class is named like that. */
  wordFor(id, classes = this.classes) {
    return classes.includes(String(id)) ? classes[id] : String(id);
  }

  /** Options of a request, or null where the form says what is wrong. */
  get asked() {
    return this.form.reportValidity() ? this.given : null;
  }

  get given() {
    const form = new FormData(this.form);
    const targets = [...form.getAll("word"), ...[...this.#named].map((id) => this.wordFor(id))];
    const methods = form.getAll("methods");
    return {
      model: this.model.value,
      targets: targets.length ? targets : ["predicted"],
      method: form.get("method"),
      top_k: LISTED,
      ...(form.get("method") === COUNTERFACTUAL ? {} : { direction: form.get("direction") }),
      ...(form.get("method") !== COUNTERFACTUAL && form.get("rho") ? { rho: form.get("rho") } : {}),
      ...(form.get("tile") ? { tile: form.get("tile") } : {}),
      ...(form.get("method") !== COUNTERFACTUAL && form.has("sweep") ? { sweep: SWEPT } : {}),
      ...(form.has("margin") ? { margin: "true" } : {}),
      ...(form.get("method") !== COUNTERFACTUAL && form.has("quality") ? { quality: "true" } : {}),
      ...(methods.length ? { methods } : {}),
      ...Object.fromEntries(PARTS.map((part) => [part, form.get(part)]).filter(([, value]) => value)),
    };
  }

  /** Leave it to the image shown which part of its file that is. */
  forgetParts(names) {
    for (const part of PARTS.filter((one) => names.includes(one))) this.form.elements[part].value = "";
  }

  /** Set the form to options of a request, those that are named. */
  async show({ model: name, targets = [], methods = [], ...others }) {
    if (name && [...this.model.options].some((option) => option.value === name)) this.model.value = name;
    await this.#fill();
    const chosen = new Set([...targets, ...methods]);
    for (const box of this.form.querySelectorAll("[name=word], [name=methods]")) box.checked = chosen.has(box.value);
    for (const word of targets) {
      const id = this.classes.includes(word) ? this.classes.indexOf(word) : Number(word);
      if (this.classes[id] !== undefined) this.#named.add(id);
    }
    for (const box of ["sweep", "margin", "quality"]) this.form.elements[box].checked = box in others;
    for (const field of ["direction", "method", "rho", "tile", ...PARTS]) {
      if (field in others) this.form.elements[field].value = others[field];
    }
    this.#showNamed();
  }
}
