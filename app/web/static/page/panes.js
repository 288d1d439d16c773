// The four pictures of one explanation, side by side: original, heatmap, change, explained.

import { changeAroundGrey, colorBar, heatmap, pixelsOf, put, tableOf, veil } from "./draw.js";
import { percent } from "./words.js";
import { Zoom } from "./zoom.js";

const PIXELATED_BELOW = 300; // pixels; a photograph is shown smooth

export class Panes {
  #pixels = new WeakMap(); // of each picture that was decoded, by its JSON
  #drawing = 0;
  #of = null; // the changed picture that is shown, or about to be

  constructor(root, maps) {
    this.root = root;
    this.maps = maps;
    this.zoom = new Zoom(root, root.querySelector("#zoom"));
    this.map = root.querySelector("#map");
    this.onto = root.querySelector("#onto");
    this.strength = root.querySelector("#strength");
    this.swipe = root.querySelector("#swipe");
    for (const [kind, label] of [["signed", "brighter or darker"], ["magnitude", "how much"]]) {
      const group = Object.assign(document.createElement("optgroup"), { label });
      group.append(...Object.keys(maps[kind]).map((name) => new Option(name, name)));
      this.map.append(group);
    }
    this.map.addEventListener("change", () => this.#draw());
    this.onto.addEventListener("change", () => this.#draw());
    this.strength.addEventListener("input", () => this.#follow());
    this.swipe.addEventListener("input", () => this.#follow());
    this.zoom.addEventListener("change", () => root.dispatchEvent(new Event("change", { bubbles: true })));
    this.#follow();
  }

  /** How it is looked at, as far as it is not as at first. */
  get state() {
    const { zoom, x, y } = this.zoom;
    return {
      map: this.map.selectedIndex > 0 ? this.map.value : "",
      onto: this.onto.selectedIndex > 0 ? this.onto.value : "",
      strength: this.strength.value === "100" ? "" : this.strength.value,
      swipe: this.swipe.value === "0" ? "" : this.swipe.value,
      zoom: zoom > 1 ? [zoom, x, y].map((value) => value.toFixed(3)).join(" ") : "",
    };
  }

  set state({ map, onto, strength = 100, swipe = 0, zoom = "1 0 0" }) {
    const either = (select, value) => {
      select.value = value ?? "";
      if (select.selectedIndex < 0) select.selectedIndex = 0;
    };
    either(this.map, map);
    either(this.onto, onto);
    [this.strength.value, this.swipe.value] = [strength, swipe];
    this.zoom.set(...zoom.split(" ").map((value) => Number(value) || 0));
    this.#follow();
    this.#draw();
  }

  get #style() {
    const name = this.map.value;
    const kind = name in this.maps.signed ? "signed" : "magnitude";
    return { kind, table: tableOf(this.maps[kind][name]), alone: this.onto.value === "nothing" };
  }

  /** Before there is a result: the file as the browser shows it, and the picture as it forms. */
  forming(url, picture) {
    this.#drawing++;
    this.shown = this.#of = null;
    this.root.dataset.state = "forming";
    this.#image("original", url);
    this.#image("explained", picture ? `data:${picture.media_type};base64,${picture.data}` : url);
    if (picture) this.#shape(picture);
  }

  /** `scale` is the pixel level at the end of the bar; `image` what the server says of the upload. */
  async show(original, explanation, image, scale) {
    if (this.#of === explanation.pictures.explained) return;
    this.#of = explanation.pictures.explained;
    const drawing = ++this.#drawing;
    const [before, after] = await Promise.all([this.#decoded(original), this.#decoded(explanation.pictures.explained)]);
    if (drawing !== this.#drawing) return; // another was chosen meanwhile
    this.shown = { before, after, image, scale, explanation };
    this.#draw();
  }

  async #decoded(picture) {
    if (!this.#pixels.has(picture)) this.#pixels.set(picture, pixelsOf(picture));
    return this.#pixels.get(picture);
  }

  #draw() {
    if (!this.shown) return;
    const { before, after, image, scale, explanation } = this.shown;
    const style = this.#style;
    this.root.dataset.state = "done";
    this.root.dataset.onto = this.onto.value;
    this.#shape(image, before);
    for (const canvas of this.root.querySelectorAll("canvas.before")) put(canvas, before);
    put(this.#canvas("explained", "after"), after);
    put(this.#canvas("heatmap", "map"), heatmap(before, after, { ...style, scale }));
    put(this.#canvas("change", "after"), changeAroundGrey(before, after, scale));
    veil(this.#canvas("heatmap", "map"), image);
    veil(this.#canvas("change", "after"), image);
    colorBar(this.root.querySelector("#color-bar"), style);
    this.#label(style.kind, scale, explanation, image);
  }

  #label(kind, scale, one, image) {
    const [lowest, middle, highest] = this.root.querySelectorAll("#color-labels span");
    lowest.textContent = kind === "signed" ? `−${scale}` : "0";
    middle.textContent = kind === "signed" ? "0" : "";
    highest.textContent = kind === "signed" ? `+${scale}` : `${scale}`;
    this.root.querySelector("#color-title").textContent =
      kind === "signed" ? "change, mean of colours" : "change, RMS of colours";
    const { left, top, width, height } = image.seen;
    this.root.querySelector("#unseen").hidden = left + top === 0 && width === image.width && height === image.height;
    this.root.querySelector("#gain").textContent = `around grey, times ${(0.5 / scale).toPrecision(2)}`;
    const frames = {
      original: "The image as it was given.",
      heatmap: `Where it changes towards ${one.target}, as a heatmap.`,
      change: `The change itself, towards ${one.target}, around grey.`,
      explained: `The changed image: ${one.target} has ${percent(one.probability_after)} in it.`,
    };
    for (const [name, text] of Object.entries(frames)) {
      this.#frame(name).setAttribute("aria-label", `${text} Plus, minus and arrow keys zoom and move.`);
    }
  }

  #follow() {
    this.root.style.setProperty("--strength", this.strength.value / 100);
    this.root.style.setProperty("--swipe", `${this.swipe.value}%`);
  }

  #shape({ width, height }, pixels = { width, height }) {
    this.root.style.setProperty("--ratio", Math.min(2, Math.max(0.5, width / height)));
    this.root.classList.toggle("pixelated", Math.min(pixels.width, pixels.height) < PIXELATED_BELOW);
  }

  #frame(name) {
    return this.root.querySelector(`[data-pane="${name}"] .frame`);
  }

  #canvas(name, part) {
    return this.#frame(name).querySelector(`canvas.${part}`);
  }

  #image(name, url) {
    const image = this.#frame(name).querySelector("img");
    if (image.src !== url) image.src = url;
  }
}
