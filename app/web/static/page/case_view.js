// One image with what was asked of it: its reading, progress or problem, and the explanation chosen.

import { reportAddress } from "./api.js";
import { secondsUntil, stateOf } from "./case_list.js";
import { COUNTERFACTUAL } from "./options.js";
import { Part } from "./part.js";
import { Tiles } from "./tiles.js";
import {
  METHODS,
  adviceOn,
  agreementIn,
  clock,
  explanationIn,
  judgeIn,
  partOf,
  percent,
  pixels,
  qualityRows,
  readingIn,
  titleOf,
  verdictIn,
} from "./words.js";

export class CaseView {
  /** `card(name)` tells of a model; `acts` has choose(place), size(place), contrast(class_id), sweep(), cancel(ask), retry(ask), drop(ask), and those of a Part. */
  constructor(article, panes, card, acts) {
    this.article = article;
    this.panes = panes;
    this.card = card;
    this.acts = acts;
    this.find = (selector) => article.querySelector(selector);
    this.find("#cancel").addEventListener("click", () => acts.cancel(this.case.open));
    this.find("#retry").addEventListener("click", () => acts.retry(this.case.open));
    this.find("#sweep").addEventListener("click", () => acts.sweep());
    this.find("#size").addEventListener("input", ({ target }) => acts.size(Number(target.value)));
    this.find("#drop-ask").addEventListener("click", () => acts.drop(this.case.open));
    this.part = new Part(article, panes.zoom, acts);
    this.tiles = new Tiles(this.find("#tiles"), article.querySelectorAll(".tile-box"), (region) => acts.part({ region, tile: null }));
  }

  show(one) {
    this.case = one;
    const { main, open } = one;
    const entry = atSize(one.explained[one.chosen] ?? one.explained[0], one.size);
    const prediction = main.result?.prediction ?? main.prediction;
    this.find("#name").textContent = one.title;
    this.find("#reading").textContent = prediction ? readingIn(prediction, main.result?.second_opinion) : "";
    this.part.show(one);
    this.#kept(entry?.ask.result ?? main.result);
    this.#progress(open);
    this.#problem(open);
    this.find("#answer").hidden = main.state === "failed";
    this.#targets(one);
    this.#pictures(one, entry);
    this.#words(one, entry);
    setText(this.find("#margin"), main.result?.margin?.says ?? "");
    this.#verdict(entry?.explanation?.verdict);
    this.#sizes(one, entry?.explanation);
    this.#beside(entry?.explanation);
    this.#quality(entry?.explanation);
    this.tiles.show(entry?.explanation, entry?.result?.image);
    this.#bars(one, prediction, entry);
    this.#facts(main, entry?.explanation);
  }

  /** `result` is of the explanation looked at: each contrast has a report of its own. */
  #kept(result) {
    const until = result?.kept_until;
    const lost = "The server does not keep it: the address of this page does not lead back to it.";
    const found = until && `Kept until ${clock(until)}. Until then the address of this page leads back to it.`;
    setText(this.find("#kept"), result ? found || lost : "");
    this.find("#report").hidden = !found;
    if (!found) return;
    for (const kind of ["html", "pdf"]) this.find(`#report-${kind}`).href = reportAddress(result.id, kind);
  }

  #progress(ask) {
    const under = ["waiting", "running", "full"].includes(ask?.state);
    this.find("#progress").hidden = !under;
    if (!under) return;
    this.find("#stage").textContent = stateOf(ask);
    this.find("#bar").value = ask.share;
  }

  #problem(ask) {
    const box = this.find("#problem");
    const shown = ask?.state === "failed" || ask?.state === "full" ? ask.error : null;
    if (!shown) {
      box.hidden = true;
      return;
    }
    const { title, advice, retry } = adviceOn(shown);
    const again = ask.state === "full" ? ` It is sent again in ${secondsUntil(ask.againAt)} s.` : "";
    setText(box.querySelector("h3"), title);
    setText(box.querySelector(".what"), ask.state === "full" ? "" : (shown.message ?? ""));
    setText(box.querySelector(".advice"), ask.state === "full" ? `Your image waits here.${again}` : advice);
    this.find("#retry").hidden = !retry;
    setText(this.find("#retry"), ask.state === "full" ? "Try now" : "Try again");
    this.find("#drop-ask").hidden = !ask.options?.against;
    box.hidden = false;
  }

  #targets(one) {
    const group = this.find("#targets");
    while (group.children.length > one.explained.length) group.lastChild.remove();
    one.explained.forEach(({ ask, target, explanation }, place) => {
      const button = group.children[place] ?? group.appendChild(this.#targetButton(place));
      button.setAttribute("aria-pressed", place === one.chosen);
      const contrasted = { ...target, against: ask.options?.against ? ask.prediction.class : null };
      setText(button.firstChild, titleOf(explanation ?? contrasted));
      const now = explanation?.probability_after ?? target.progress?.probability;
      setText(button.lastChild, now === undefined ? "…" : percent(now));
    });
  }

  #targetButton(place) {
    const button = Object.assign(document.createElement("button"), { type: "button" });
    button.append(document.createElement("span"), document.createElement("strong"));
    button.addEventListener("click", () => this.acts.choose(place));
    return button;
  }

  async #pictures(one, entry) {
    if (!entry?.explanation?.pictures.explained) {
      this.panes.forming(one.url, entry?.target.progress?.picture);
      return;
    }
    const { result, original } = entry;
    const { explanation } = await this.card(result.model.name);
    if (this.case === one) this.panes.show(original, entry.explanation, result.image, explanation.scale);
  }

  #words(one, entry) {
    const said = entry?.explanation ? explanationIn(entry.explanation, entry.ask.result.prediction) : "";
    setText(this.find("#words"), said);
  }

  /** None of another size than the one asked for. */
  #verdict(verdict) {
    const box = this.find("#verdict");
    box.hidden = !verdict;
    if (!verdict) return;
    setText(box.querySelector("summary"), verdictIn(verdict));
    const reasons = verdict.reasons.map(({ sentence }) => Object.assign(document.createElement("li"), { textContent: sentence }));
    box.querySelector("ul").replaceChildren(...reasons);
  }

  #sizes(one, explanation) {
    const sweep = explanation?.sweep ?? [];
    this.find("#sizes").hidden = !sweep.length;
    this.find("#sweep").hidden = Boolean(sweep.length) || !explanation || explanation.method === COUNTERFACTUAL || explanation.tiles.length > 0;
    if (!sweep.length) return;
    const slider = this.find("#size");
    slider.max = sweep.length - 1;
    slider.value = one.size ?? nearest(sweep, explanation.rho);
    const said = pixels(explanation.perturbation_rms);
    slider.setAttribute("aria-valuetext", `RMS ${said}`);
    setText(this.find("#size-said"), said);
  }

  #beside(explanation) {
    const others = Object.keys(METHODS).filter((name) => explanation?.pictures[`${name}_heatmap`]);
    this.find("#beside").hidden = !others.length;
    if (!others.length || this.beside === explanation.agreement) return;
    this.beside = explanation.agreement;
    this.find("#beside div").replaceChildren(
      ...others.map((name) => {
        const { media_type, data } = explanation.pictures[`${name}_heatmap`];
        const figure = document.createElement("figure");
        const caption = Object.assign(document.createElement("figcaption"), { textContent: METHODS[name] });
        const alt = `${METHODS[name]}: what speaks for ${explanation.target}, with its colour bar.`;
        const image = Object.assign(new Image(), { src: `data:${media_type};base64,${data}`, alt });
        const agreement = agreementIn(explanation.agreement, name);
        figure.append(caption, image, Object.assign(document.createElement("p"), { className: "help", textContent: agreement }));
        return figure;
      }),
    );
  }

  /** A row for each map, and for pixels in orders that know nothing of the network. */
  #quality(explanation) {
    const box = this.find("#quality");
    const measured = explanation?.quality;
    box.hidden = !measured;
    if (!measured) return;
    const cells = (row) => row.map((text, place) => {
      const kind = place ? "td" : "th";
      return Object.assign(document.createElement(kind), { textContent: text, ...(place ? {} : { scope: "row" }) });
    });
    const rows = qualityRows(measured).map((row) => {
      const line = document.createElement("tr");
      line.append(...cells(row));
      return line;
    });
    box.querySelector("tbody").replaceChildren(...rows);
    setText(box.lastElementChild, judgeIn(explanation.judge));
  }

  /** Classes in the order of the first reading, then whatever only the changed picture brings up. */
  #bars(one, prediction, entry) {
    const before = new Map((prediction?.top ?? []).map((found) => [found.class_id, found]));
    const explanation = entry?.explanation;
    const after = new Map((explanation?.top_after ?? []).map((found) => [found.class_id, found]));
    const rows = [...before.values(), ...[...after.values()].filter((found) => !before.has(found.class_id))];
    const body = this.find("#bars tbody");
    while (body.children.length > rows.length) body.lastChild.remove();
    rows.forEach((found, place) => {
      const row = body.children[place] ?? body.appendChild(this.#barRow());
      const id = found.class_id;
      const [name, first, second, contrast] = row.children;
      row.classList.toggle("chosen", id === entry?.target.target_id);
      row.dataset.id = id;
      setText(name, found.class);
      bar(first, before.get(id)?.probability);
      bar(second, explanation ? after.get(id)?.probability : undefined);
      const button = contrast.firstChild;
      button.hidden = id === prediction?.class_id || !one.main.result;
      button.setAttribute("aria-label", `Why not ${found.class}?`);
    });
  }

  #barRow() {
    const row = document.createElement("tr");
    const name = Object.assign(document.createElement("th"), { scope: "row" });
    const cells = ["before", "after"].map((className) => {
      const cell = Object.assign(document.createElement("td"), { className });
      cell.append(document.createElement("span"), document.createElement("i"));
      return cell;
    });
    const button = Object.assign(document.createElement("button"), { type: "button", textContent: "Why not?" });
    button.addEventListener("click", () => this.acts.contrast(Number(row.dataset.id)));
    const contrast = document.createElement("td");
    contrast.append(button);
    row.append(name, ...cells, contrast);
    return row;
  }

  #facts({ result, options }, one) {
    const list = this.find("#facts");
    list.closest("details").hidden = !result || !one;
    if (!result || !one) return;
    const { image, model } = result;
    const facts = {
      Image: `${image.format}, ${image.width} × ${image.height} pixels. ${partOf(image, options?.region)}${image.notes.join(" ")}`,
      "SHA-256 of the file": image.sha256,
      Model: `${model.name}, sees ${model.input.width} × ${model.input.height} pixels, fitted by ${model.input.fit}`,
      "SHA-256 of its weights": model.weights_sha256,
      "Size of the change": `RMS ${pixels(one.perturbation_rms)} (asked for: ${pixels(one.rho)}), L2 ${one.perturbation_l2.toPrecision(3)}`,
      Search: `${one.method}, ${one.steps} steps, ${one.converged ? "settled" : "did not settle"} at the size asked for`,
      ...(one.against
        ? { "Margin, in logits": `${one.margin_before.toFixed(2)} before, ${one.margin_after.toFixed(2)} after` }
        : {}),
      Id: result.id,
      Made: result.created,
      "Milliseconds": Object.entries(result.timing_ms).map(([part, ms]) => `${part} ${Math.round(ms)}`).join(", "),
    };
    list.replaceChildren(
      ...Object.entries(facts).flatMap(([term, said]) => [
        Object.assign(document.createElement("dt"), { textContent: term }),
        Object.assign(document.createElement("dd"), { textContent: said }),
      ]),
    );
  }
}

/** An entry of `Case.explained` with what it came to at that size of its sweep, and the picture that it began from. */
function atSize(entry, size) {
  const { result } = entry?.ask ?? {};
  const point = size === null ? undefined : entry?.explanation?.sweep[size];
  if (!point) return entry && { ...entry, result, original: result?.original };
  const { explanation } = entry;
  const pictures = { ...explanation.pictures, ...point.pictures };
  const judged = point.rho === explanation.rho ? {} : { verdict: null, quality: null };
  return { ...entry, result, explanation: { ...explanation, ...point, ...judged, pictures }, original: explanation.sweep[0].pictures.explained };
}

function nearest(sweep, rho) {
  const apart = sweep.map((point) => Math.abs(point.rho - rho));
  return apart.indexOf(Math.min(...apart));
}

function bar(cell, probability) {
  setText(cell.firstChild, probability === undefined ? "–" : percent(probability));
  cell.lastChild.style.setProperty("--share", probability ?? 0);
}

/** Only where it differs: screen readers announce an alert again whenever it is written. */
function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
