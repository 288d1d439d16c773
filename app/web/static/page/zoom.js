// Zoom and pan of all pictures at once: by buttons, wheel, fingers and keys. The sheets follow three CSS variables.

const MOST = 32;
const STEP = 1.5;
const KEY_PAN = 0.15; // of the frame

export class Zoom extends EventTarget {
  zoom = 1;
  x = 0; // left edge of the picture, in widths of its frame: from 1 - zoom to 0
  y = 0;

  constructor(panes, toolbar) {
    super();
    this.panes = panes;
    this.output = toolbar.querySelector("output");
    const acts = { in: () => this.by(STEP), out: () => this.by(1 / STEP), reset: () => this.set(1, 0, 0) };
    toolbar.addEventListener("click", ({ target }) => acts[target.dataset.act]?.());
    for (const frame of panes.querySelectorAll(".frame")) this.#listen(frame);
    this.set(1, 0, 0);
  }

  set(zoom, x, y) {
    const held = (value) => Math.min(0, Math.max(1 - this.zoom, value));
    this.zoom = Math.min(MOST, Math.max(1, zoom));
    [this.x, this.y] = [held(x), held(y)];
    this.panes.style.setProperty("--zoom", this.zoom);
    this.panes.style.setProperty("--x", this.x);
    this.panes.style.setProperty("--y", this.y);
    this.panes.classList.toggle("zoomed", this.zoom > 1);
    this.output.value = `${Math.round(100 * this.zoom)}%`;
    this.dispatchEvent(new Event("change"));
  }

  /** Zoom by a factor, while the point at (left, top) of the frame, each 0 to 1, stays where it is. */
  by(factor, left = 0.5, top = 0.5) {
    const grown = Math.min(MOST, Math.max(1, this.zoom * factor)) / this.zoom;
    this.set(this.zoom * grown, left - (left - this.x) * grown, top - (top - this.y) * grown);
  }

  pan(right, down) {
    this.set(this.zoom, this.x + right, this.y + down);
  }

  #listen(frame) {
    const fingers = new Map();
    const place = ({ clientX, clientY }) => {
      const box = frame.getBoundingClientRect();
      return [(clientX - box.left) / box.width, (clientY - box.top) / box.height];
    };
    frame.addEventListener("keydown", (event) => this.#key(event));
    frame.addEventListener("dblclick", (event) => this.by(STEP ** 2, ...place(event)));
    frame.addEventListener(
      "wheel",
      (event) => {
        if (!event.ctrlKey && !event.metaKey) return; // the page scrolls; a pinch on a touchpad comes with ctrlKey
        event.preventDefault();
        this.by(Math.exp(-event.deltaY / 200), ...place(event));
      },
      { passive: false },
    );
    frame.addEventListener("pointerdown", (event) => {
      fingers.set(event.pointerId, place(event));
      frame.setPointerCapture(event.pointerId);
    });
    frame.addEventListener("pointermove", (event) => {
      const from = fingers.get(event.pointerId);
      if (!from) return;
      const to = place(event);
      const other = [...fingers].find(([id]) => id !== event.pointerId)?.[1];
      if (other) this.by(apart(to, other) / apart(from, other), ...other);
      else this.pan(to[0] - from[0], to[1] - from[1]);
      fingers.set(event.pointerId, to);
    });
    for (const end of ["pointerup", "pointercancel"]) {
      frame.addEventListener(end, (event) => fingers.delete(event.pointerId));
    }
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return; // the browser's own
    const acts = {
      "+": () => this.by(STEP),
      "=": () => this.by(STEP),
      "-": () => this.by(1 / STEP),
      0: () => this.set(1, 0, 0),
      ArrowLeft: () => this.pan(KEY_PAN, 0),
      ArrowRight: () => this.pan(-KEY_PAN, 0),
      ArrowUp: () => this.pan(0, KEY_PAN),
      ArrowDown: () => this.pan(0, -KEY_PAN),
    };
    const moves = event.key.startsWith("Arrow");
    if (!acts[event.key] || (moves && this.zoom === 1)) return;
    event.preventDefault();
    acts[event.key]();
  }
}

function apart([left, top], [otherLeft, otherTop]) {
  return Math.max(0.01, Math.hypot(left - otherLeft, top - otherTop));
}
