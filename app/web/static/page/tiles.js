// The tiles that a large image was explained in: what each is read as, where it lies, and a closer look at it.

import { lay } from "./region.js";
import { percent, tilesIn } from "./words.js";

const NONE = [];

export class Tiles {
  #shown = NONE; // what the rows were made of, so that the focus stays where it is

  /** `outlines` are boxes over pictures; `closer(region)` explains left,top,width,height by itself. */
  constructor(root, outlines, closer) {
    Object.assign(this, { root, outlines, closer });
    this.body = root.querySelector("tbody");
    this.body.addEventListener("pointerleave", () => this.#outline(this.most));
    this.body.addEventListener("focusout", () => this.#outline(this.most));
    root.addEventListener("toggle", () => this.#outline(this.most));
  }

  /** Of this explanation, null for none yet, in the image that the server says it is of. */
  show(explanation, image) {
    const tiles = explanation?.tiles ?? NONE;
    this.root.hidden = !tiles.length;
    Object.assign(this, { image, most: tiles.length ? explanation.most_moved_tile : null });
    if (this.#shown !== tiles) this.#fill(explanation, tiles);
    this.#shown = tiles;
    this.#outline(this.most);
  }

  #fill(explanation, tiles) {
    this.body.replaceChildren(...tiles.map((tile) => this.#row(tile)));
    if (tiles.length) this.root.querySelector("summary").textContent = tilesIn(explanation);
  }

  #row({ box, predicted, probability_before, probability_after, changed_class_to }) {
    const row = document.createElement("tr");
    const place = `${box.left}, ${box.top}`;
    const read = changed_class_to ? `${predicted.class}, then ${changed_class_to}` : predicted.class;
    const name = Object.assign(document.createElement("th"), { scope: "row", textContent: place });
    const cells = [read, percent(probability_before), percent(probability_after)].map((textContent) =>
      Object.assign(document.createElement("td"), { textContent }),
    );
    const button = Object.assign(document.createElement("button"), { type: "button", textContent: "Explain it" });
    button.setAttribute("aria-label", `Explain the tile at ${place} by itself`);
    button.addEventListener("click", () => this.closer([box.left, box.top, box.width, box.height].join(",")));
    const last = document.createElement("td");
    last.append(button);
    row.append(name, ...cells, last);
    for (const event of ["pointerenter", "focusin"]) row.addEventListener(event, () => this.#outline(box));
    return row;
  }

  /** None while the table is closed: an outline covers what it marks. */
  #outline(box) {
    for (const outline of this.outlines) {
      outline.hidden = true;
      if (box && this.root.open) lay(outline, [box.left, box.top, box.width, box.height], this.image);
    }
  }
}
