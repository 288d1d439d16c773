// The list of images: each with its small picture and how far it is.

import { adviceOn, percent, readAs } from "./words.js";

export class CaseList {
  #items = new Map();

  /** `choose(case)` and `remove(case)` are called when pressed. */
  constructor(section, { choose, remove }) {
    this.section = section;
    this.list = section.querySelector("ul");
    this.acts = { choose, remove };
  }

  show(all, current) {
    this.section.hidden = !all.length;
    for (const [one, item] of this.#items) {
      if (all.includes(one)) continue;
      item.remove();
      this.#items.delete(one);
    }
    for (const one of all) {
      if (!this.#items.has(one)) this.#items.set(one, this.#item(one));
      const [button] = this.#items.get(one).children;
      button.setAttribute("aria-current", one === current);
      button.querySelector(".name").textContent = one.title;
      button.classList.toggle("numbered", one.title !== one.name);
      button.querySelector(".state").textContent = stateOf(one.main);
      this.#items.get(one).querySelector(".remove").setAttribute("aria-label", `Remove ${one.title}`);
      this.#picture(button.querySelector("img"), one.main.result);
      this.#items.get(one).dataset.state = one.main.state;
    }
  }

  /** Of a format that only the server reads, what it read. */
  #picture(picture, result) {
    if (!picture.hidden || !result?.original || picture.dataset.of === result.id) return;
    picture.dataset.of = result.id;
    picture.src = `data:${result.original.media_type};base64,${result.original.data}`;
  }

  #item(one) {
    const item = document.createElement("li");
    const button = Object.assign(document.createElement("button"), { type: "button", className: "case" });
    const picture = Object.assign(new Image(), { src: one.url, alt: "" });
    picture.addEventListener("error", () => (picture.hidden = true));
    picture.addEventListener("load", () => (picture.hidden = false));
    const name = Object.assign(document.createElement("span"), { className: "name" });
    const state = Object.assign(document.createElement("span"), { className: "state" });
    button.append(picture, name, state);
    button.addEventListener("click", () => this.acts.choose(one));
    const remove = Object.assign(document.createElement("button"), { type: "button", className: "remove", textContent: "×" });
    remove.addEventListener("click", () => this.acts.remove(one));
    item.append(button, remove);
    this.list.append(item);
    return item;
  }
}

export function stateOf(ask) {
  switch (ask.state) {
    case "waiting":
      return "waiting";
    case "running":
      return ask.targets.length ? `explaining, ${percent(ask.share)}` : "being read";
    case "full":
      return `the server is full, again in ${secondsUntil(ask.againAt)} s`;
    case "done":
      return readAs(ask.result.prediction);
    case "failed":
      return adviceOn(ask.error).title;
  }
}

export function secondsUntil(time) {
  return Math.max(0, Math.ceil((time - Date.now()) / 1000));
}
