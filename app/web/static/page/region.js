// A region of the picture, drawn by mouse, finger or keys on the original, or typed.

const FIELDS = ["left", "top", "width", "height"];
const KEY_STEP = 0.02; // of the picture's side, at least a pixel
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const HELP =
  "The image as it was given. Drag over it to draw a region; or arrow keys move the region, with Shift they change its size, Enter explains it, Escape leaves it.";

/** Lay a box over a picture of this image: `[left, top, width, height]` in the image's pixels. */
export function lay(box, [left, top, width, height], image) {
  const share = (length, whole) => `${(100 * length) / whole}%`;
  Object.assign(box.style, {
    left: share(left, image.width),
    top: share(top, image.height),
    width: share(width, image.width),
    height: share(height, image.height),
  });
  box.hidden = false;
}

export class Region {
  /** `acts.explain(region)` is called with left,top,width,height as text, null for all; `acts.say(text)` announces. */
  constructor(form, frame, zoom, acts) {
    Object.assign(this, { form, frame, zoom, acts });
    this.box = frame.querySelector("#region-box");
    this.fields = FIELDS.map((name) => form.elements[name]);
    this.draw = form.querySelector("#draw");
    this.draw.addEventListener("click", () => this.#drawing(!this.drawing));
    form.querySelector("#whole").addEventListener("click", () => acts.explain(null));
    form.addEventListener("input", () => this.#show(this.fields.map(({ valueAsNumber }) => valueAsNumber)));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#explain();
    });
    this.#listen();
  }

  get drawing() {
    return this.draw.getAttribute("aria-pressed") === "true";
  }

  /** Of this image, as the server says it is; `asked` is the region of the explanation, if it has one. */
  show(image, asked) {
    this.image = image;
    this.#drawing(false);
    this.form.querySelector("#whole").disabled = !asked;
    const [left, top, width, height] = this.fields;
    [left.max, top.max] = [image.width - 1, image.height - 1];
    [width.max, height.max] = [image.width, image.height];
    this.#set(asked ? String(asked).split(",").map(Number) : [0, 0, image.width, image.height]);
    this.box.hidden = !asked;
  }

  #explain() {
    const [left, top, width, height] = this.fields;
    width.setCustomValidity(left.valueAsNumber + width.valueAsNumber > this.image.width ? "It ends beyond the picture." : "");
    height.setCustomValidity(top.valueAsNumber + height.valueAsNumber > this.image.height ? "It ends beyond the picture." : "");
    if (!this.form.reportValidity()) return;
    this.#drawing(false);
    this.acts.explain(this.fields.map(({ value }) => value).join(","));
  }

  #drawing(on) {
    if (on === this.drawing) return;
    this.draw.setAttribute("aria-pressed", on);
    this.frame.classList.toggle("drawing", on);
    if (!on) {
      this.frame.setAttribute("aria-label", this.label);
      return;
    }
    this.label = this.frame.getAttribute("aria-label");
    this.frame.setAttribute("aria-label", HELP);
    const { width, height } = this.image;
    if (this.fields[2].valueAsNumber === width && this.fields[3].valueAsNumber === height) {
      this.#set([width / 4, height / 4, width / 2, height / 2]); // the whole could not be moved
    }
    this.box.hidden = false;
    this.frame.focus();
    this.frame.scrollIntoView({ block: "nearest" });
  }

  /** Whole pixels within the picture, at least one. */
  #set([left, top, width, height]) {
    const held = (value, least, most) => Math.min(most, Math.max(least, Math.round(value)));
    const [right, bottom] = [this.image.width, this.image.height];
    const x = held(left, 0, right - 1);
    const y = held(top, 0, bottom - 1);
    const kept = [x, y, held(width, 1, right - x), held(height, 1, bottom - y)];
    this.fields.forEach((field, at) => (field.value = kept[at]));
    this.#show(kept);
  }

  #show(place) {
    if (place.every(Number.isFinite)) lay(this.box, place, this.image);
  }

  /** Before the zoom hears of it, which would move the picture. */
  #listen() {
    const first = { capture: true };
    const mine = (event) => {
      event.preventDefault();
      event.stopImmediatePropagation();
    };
    this.frame.addEventListener("pointerdown", (event) => {
      if (!this.drawing) return;
      mine(event);
      this.frame.setPointerCapture(event.pointerId);
      this.from = this.#place(event);
    }, first);
    this.frame.addEventListener("pointermove", (event) => {
      if (!this.drawing || !this.from) return;
      mine(event);
      const to = this.#place(event);
      const [left, top] = [0, 1].map((axis) => Math.floor(Math.min(this.from[axis], to[axis])));
      const [right, bottom] = [0, 1].map((axis) => Math.ceil(Math.max(this.from[axis], to[axis])));
      this.#set([left, top, right - left, bottom - top]);
    }, first);
    for (const end of ["pointerup", "pointercancel"]) {
      this.frame.addEventListener(end, () => {
        if (this.drawing && this.from) this.#tell();
        this.from = null;
      }, first);
    }
    this.frame.addEventListener("keydown", (event) => {
      if (!this.drawing || !this.#key(event)) return;
      mine(event);
    }, first);
  }

  /** In pixels of the picture, wherever it is zoomed to. */
  #place({ clientX, clientY }) {
    const frame = this.frame.getBoundingClientRect();
    const { x, y, zoom } = this.zoom;
    const across = ((clientX - frame.left) / frame.width - x) / zoom;
    const down = ((clientY - frame.top) / frame.height - y) / zoom;
    const held = (share) => Math.min(1, Math.max(0, share));
    return [held(across) * this.image.width, held(down) * this.image.height];
  }

  #key({ key, shiftKey }) {
    if (key === "Enter") this.#explain();
    else if (key === "Escape") {
      this.#drawing(false);
      this.draw.focus();
    } else if (ARROWS[key]) {
      const [right, down] = ARROWS[key];
      const step = ([across, length]) => across * Math.max(1, Math.round(length * KEY_STEP));
      const moved = [[right, this.image.width], [down, this.image.height]].map(step);
      const box = this.fields.map(({ valueAsNumber }) => valueAsNumber);
      const [left, top, width, height] = box;
      if (shiftKey) this.#set([left, top, width + moved[0], height + moved[1]]);
      else this.#set([held(left + moved[0], this.image.width - width), held(top + moved[1], this.image.height - height), width, height]);
      this.#tell();
    } else return false;
    return true;
  }

  #tell() {
    const [left, top, width, height] = this.fields.map(({ value }) => value);
    this.acts.say(`Region of ${width} by ${height} pixels, ${left} from the left and ${top} from the top.`);
  }
}

function held(value, most) {
  return Math.min(most, Math.max(0, value));
}
