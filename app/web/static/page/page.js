// The review page: images in, explanations out. Wires the form, the list, the view and the server's state together.

import * as address from "./address.js";
import { colorMaps, example, hasArchive, InArchive, Lost, Problem, readiness } from "./api.js";
import { CaseList, stateOf } from "./case_list.js";
import { CaseView } from "./case_view.js";
import { Cases } from "./cases.js";
import { Options, SWEPT } from "./options.js";
import { Panes } from "./panes.js";
import { partsIn, withoutParts } from "./parts.js";

const LOOK_AGAIN_MS = 2000;
const LEFT = "left"; // images of this tab, kept for it alone, to have them again after a reload or to say which are gone

const find = (selector) => document.querySelector(selector);
const cases = new Cases();
const options = new Options(find("#ask"));
let current = null;
let view = null;

const list = new CaseList(find("#cases"), {
  choose: (one) => choose(one),
  remove: (one) => {
    cases.remove(one);
    if (one === current) choose(cases.all[0] ?? null);
  },
});

function choose(one) {
  current = one;
  draw();
}

function draw() {
  list.show(cases.all, current);
  find("#welcome").hidden = current !== null;
  find("#shown").hidden = current === null;
  find("#again").disabled = current === null;
  if (current) view.show(current);
  writeAddress();
}

/** What is asked, which explanations are looked at, and how. */
function writeAddress() {
  if (!view || !restored) return;
  const { top_k, ...asked } = current?.main.result ? current.main.options : options.given;
  address.write({
    ...asked,
    case: current?.ids ?? [],
    shown: current?.chosen || "",
    size: current?.size ?? "",
    ...(current ? view.panes.state : {}),
  });
}

/** One column, as on a phone. */
function narrow() {
  return matchMedia("(max-width: 60rem)").matches;
}

function say(text) {
  find("#said").textContent = text;
}

function take(files) {
  const images = [...files];
  const asked = options.asked;
  if (!images.length || !asked || !view) return;
  choose(cases.add(images, asked)[0]);
  say(images.length === 1 ? `${images[0].name} is being explained.` : `${images.length} images are being explained.`);
  if (narrow()) find("#case").scrollIntoView();
}

/** Explain another part of the file; null leaves the choice to the server. */
function takePart(changes) {
  const asked = { ...current.main.options, ...changes };
  options.forgetParts(Object.keys(changes));
  cases.again(current, Object.fromEntries(Object.entries(asked).filter(([, value]) => value !== null)));
}

function notice(text, act = null) {
  const box = find("#notice");
  box.hidden = !text;
  if (!text) return;
  const [words, button] = box.children;
  if (words.textContent !== text) words.textContent = text;
  button.hidden = !act;
  if (act) [button.textContent, button.onclick] = [act.label, act.do];
}

/** Look until the server is ready, saying meanwhile what is the matter. */
async function untilReady() {
  let wasLost = false;
  for (let state = await readiness(); state !== "ready"; state = await readiness()) {
    wasLost ||= state === "lost";
    notice(
      state === "lost"
        ? "The server cannot be reached. Your images are kept in this page, which looks for it every two seconds. If it stays so, tell whoever runs it."
        : "The server is starting. The page goes on by itself when it is ready.",
    );
    await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS));
  }
  notice(null);
  return wasLost;
}

const CLOSE = { label: "Close", do: () => notice(null) };
let looking = false;

/** After a lost connection: hold what waits, until the server is back. */
async function lost() {
  if (looking) return;
  looking = true;
  cases.hold();
  const wasAway = await untilReady();
  looking = false;
  cases.release();
  const count = cases.lost.length;
  if (!count) return;
  const images = count === 1 ? "One explanation was" : `${count} explanations were`;
  notice(`${wasAway ? "The server is back." : "The server answers."} ${images} cut off.`, {
    label: "Explain again",
    do: () => {
      notice(null);
      cases.retryLost();
    },
  });
}

let restored = false;

/** Show what the address names, and after a reload what this tab had; whatever only the page had is gone: say so. */
async function restore() {
  restored = false;
  const { case: ids = [], shown = 0, size = null, ...others } = address.read();
  const left = JSON.parse(sessionStorage.getItem(LEFT) ?? "[]");
  sessionStorage.removeItem(LEFT);
  if (others.model) await options.show(ids.length ? withoutParts(others) : others);
  for (const one of left.filter((one) => one.ids.length)) cases.restore(one.ids, one.name, one.options);
  if (ids.length) {
    const there = cases.all.find((one) => one.main.id === ids[0] || one.ids[0] === ids[0]);
    current = there ?? cases.restore(ids, "shared image", others.model ? { ...options.given, ...partsIn(others) } : null);
    Object.assign(current, { chosen: Number(shown), size: size === null ? null : Number(size) });
    view.panes.state = others;
  }
  restored = true;
  choose(current ?? cases.all[0] ?? null);
  const gone = left.filter((one) => !one.ids.length).map((one) => one.name);
  if (gone.length) notice(`The page was reloaded, and keeps no images. Choose again: ${gone.join(", ")}.`, CLOSE);
}

async function start() {
  find("#options").open = !narrow();
  try {
    const [maps, archive] = await Promise.all([colorMaps(), hasArchive(), options.load()]);
    find("#archive").hidden = !archive;
    view = new CaseView(find("#shown"), new Panes(find("#panes"), maps), (name) => options.card(name), {
      choose: (place) => {
        current.choose(place);
        draw();
      },
      size: (place) => {
        current.size = place;
        draw();
      },
      sweep: () => cases.again(current, { ...current.main.options, sweep: SWEPT }),
      contrast: async (id) => {
        const { classes } = await options.card(current.main.options.model);
        cases.contrast(current, options.wordFor(id, classes));
      },
      cancel: (ask) => cases.cancel(ask),
      retry: (ask) => cases.retry(ask),
      drop: (ask) => cases.drop(current, ask),
      part: takePart,
      every: () => {
        const added = cases.every(current);
        say(added === 1 ? "One more image is being explained." : `${added} more images are being explained.`);
      },
      say,
    });
  } catch (error) {
    if (!(error instanceof Lost || error instanceof Problem)) throw error;
    await untilReady();
    return start();
  }
  await restore();
  document.body.dataset.ready = "";
  performance.mark("usable");
  if ((await readiness()) !== "ready") await untilReady();
}

addEventListener("pagehide", () => {
  const left = cases.all.map(({ name, ids, main }) => ({ name, ids, options: main.options }));
  if (left.length) sessionStorage.setItem(LEFT, JSON.stringify(left));
});
addEventListener("hashchange", () => restore());

cases.addEventListener("change", ({ detail: one }) => {
  draw();
  const { open, main } = one;
  if (one === current && !open) say(`${one.title}: ${stateOf(main)}.`);
});
cases.addEventListener("lost", lost);

setInterval(() => cases.all.some((one) => one.open?.state === "full") && draw(), 1000); // the seconds that are left

find("#files").addEventListener("change", ({ target }) => {
  take(target.files);
  target.value = ""; // so that the same file can be chosen again
});
find("#example").addEventListener("click", async () => take([await example()]));
find("#archive").addEventListener("submit", (event) => {
  event.preventDefault();
  take([new InArchive(event.target.elements.address.value)]);
});
find("#again").addEventListener("click", () => {
  const asked = options.asked;
  if (asked) cases.again(current, { ...(current.facts ? partsIn(current.main.options ?? {}) : {}), ...asked });
});
find("#ask").addEventListener("change", writeAddress);
find("#panes").addEventListener("change", writeAddress);
document.addEventListener("paste", ({ clipboardData }) => take(clipboardData.files));
document.addEventListener("dragover", (event) => {
  event.preventDefault();
  document.body.classList.add("dragged");
});
document.addEventListener("dragleave", ({ relatedTarget }) => relatedTarget ?? document.body.classList.remove("dragged"));
document.addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("dragged");
  if (event.dataTransfer.files.length) take(event.dataTransfer.files);
  else say("What was dropped is no file. Save the image first, then drop the file.");
});

start();
