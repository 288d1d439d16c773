// Numbers and results as a person says them.

export function percent(probability) {
  if (probability > 0.9995 && probability < 1) return ">99.9%";
  if (probability > 0 && probability < 0.0005) return "<0.1%";
  return `${(100 * probability).toFixed(probability < 0.1 || probability > 0.99 ? 1 : 0)}%`;
}

/** Within a sentence. */
function inWords(probability) {
  return percent(probability).replace(">", "over ").replace("<", "under ");
}

export function pixels(rms) {
  return rms.toPrecision(3).replace(/^0/, "");
}

/** A tab's name: what an explanation is of. */
export function titleOf(one) {
  if (one.against) return `${one.target}, not ${one.against}`;
  const roles = { predicted: "as read", runner_up: "runner-up", named: "" };
  return roles[one.role] ? `${one.target} (${roles[one.role]})` : one.target;
}

/** One explanation in a few sentences. */
export function explanationIn(one, prediction) {
  if (one.rho === 0) return "This is the image as it was given, with nothing changed.";
  const aim = one.direction === "encourage" ? "more" : "less";
  const contrast = one.against ? ` and not ${one.against}` : "";
  const moved = `from ${inWords(one.probability_before)} to ${inWords(one.probability_after)}`;
  const read = one.changed_class_to
    ? `The changed picture is read as ${one.changed_class_to}, no longer as ${prediction.class}.`
    : `The changed picture is still read as ${prediction.class}.`;
  const failed = one.goal_met ? "" : " The search did not reach what was asked for: do not build on this explanation.";
  return (
    `This is how it would look ${aim} like ${one.target}${contrast}, to the network: a change of RMS ` +
    `${pixels(one.perturbation_rms)} moves the probability of ${one.target} ${moved}. ${read}${failed}`
  );
}

/** How far an explanation is to be relied on; the reasons stand under it. */
export function verdictIn({ level, reasons }) {
  const levels = {
    high: "All that was measured speaks for this explanation.",
    low: "Rely on this explanation with care.",
    abstain: "Do not rely on this explanation.",
  };
  return level === "high" ? levels.high : `${levels[level]} ${reasons[0].sentence}`;
}

/** What of a file was taken, where there is more than one of it; `region` is left,top,width,height, if one was asked for. */
export function partOf(image, region = null) {
  const page = image.pages > 1 ? `Page ${image.page} of ${image.pages}. ` : "";
  const frame = image.frames > 1 ? `Frame ${image.frame} of ${image.frames}. ` : "";
  const window = image.window ? `Window ${image.window.center}, ${image.window.width}. ` : "";
  if (!region) return page + frame + window;
  const [left, top, width, height] = String(region).split(",");
  return `${page}${frame}${window}Region of ${width} × ${height} pixels at ${left}, ${top}. `;
}

export const METHODS = {
  gradient: "Input gradient",
  integrated_gradients: "Integrated gradients",
  smoothgrad: "SmoothGrad",
  gradcam: "Grad-CAM",
  occlusion: "Occlusion",
};

/** How far another method's map goes with the change. */
export function agreementIn(table, method) {
  const [row, column] = ["adversarial", method].map((name) => table.methods.indexOf(name));
  const rank = table.rank_correlation[row][column];
  const said = rank === null ? "none to be had" : rank.toFixed(2);
  return `Rank correlation with the change ${said}, SSIM ${table.ssim[row][column].toFixed(2)}`;
}

/** Of each map, then of pixels in other orders: name, gain, deletion, insertion, change under noise. */
export function qualityRows({ methods, random, edges }) {
  const maps = Object.entries(methods).map(([name, found]) => [
    METHODS[name] ?? "The change",
    found.probability_gain_per_rms.toPrecision(3),
    found.deletion_area.toFixed(3),
    found.insertion_area.toFixed(3),
    percent(found.max_sensitivity),
  ]);
  const orders = [["Random pixels", random], ["Edges first", edges]];
  return [...maps, ...orders.map(([name, found]) => [name, "", found.deletion_area.toFixed(3), found.insertion_area.toFixed(3), ""])];
}

/** How a large image was explained, and where its class moved farthest. */
export function tilesIn({ target, tiles, most_moved_tile: most }) {
  const [{ box }] = tiles;
  return (
    `In ${tiles.length} tiles of ${box.width} × ${box.height} pixels: the probability of ${target} moved farthest in the one at ` +
    `${most.left}, ${most.top}`
  );
}

/** What another network reads in the changed picture. */
export function judgeIn(judge) {
  return judge ? `${judge.model.name}, another network, reads the changed picture as ${judge.reads}.` : "";
}

export function clock(time) {
  return new Date(time).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
}

export function readAs(prediction) {
  return `${prediction.class}, ${percent(prediction.probability)}`;
}

/** What the network reads, and what its plain twin makes of it, where it has one. */
export function readingIn(prediction, second) {
  const read = `Read as ${readAs(prediction)}.`;
  if (!second) return read;
  if (second.agrees) return `${read} Its plain twin agrees.`;
  return `${read} Its plain twin reads ${readAs(second.prediction)}: look twice.`;
}

/** What went wrong with one image and what to do: `retry` says whether the same may go well another time. */
export function adviceOn(error) {
  if (error.kind === "not-an-image" || error.kind === "damaged-image" || error.kind === "empty-image") {
    return { title: "This file cannot be read as an image", advice: "Choose another file.", retry: false };
  }
  if (["image-too-large", "too-many-pixels", "decoding-too-costly", "decoding-too-large"].includes(error.kind)) {
    return { title: "This image is too large here", advice: "Send a smaller one, or a part of it.", retry: false };
  }
  if (error.kind === "no-such-part") {
    return { title: "The file has no such part", advice: "Choose another page, frame or window, then try again.", retry: true };
  }
  if (error.kind === "not-in-archive") {
    return { title: "The archive has no such image", advice: "Look at the three UIDs, then fetch it again.", retry: false };
  }
  if (error.kind === "archive-error" || error.kind === "archive-timeout") {
    return { title: "The archive does not give the image", advice: "Try again, or tell whoever runs this server.", retry: true };
  }
  if (error.kind === "full") {
    return { title: "The server has its hands full", advice: "Your image waits here and is sent again by itself.", retry: true };
  }
  if (error.kind === "deadline-exceeded") {
    return { title: "It took too long", advice: "Try again when fewer are working, or ask for fewer classes.", retry: true };
  }
  if (error.kind === "unknown-model") {
    return { title: "This model is no longer served", advice: "Reload the page and choose another.", retry: false };
  }
  if (error.kind === "not-finite") {
    return { title: "The network gives no number for this image", advice: "Choose another model, or tell whoever runs this server.", retry: false };
  }
  if (error.kind === "explanation-gone" || error.kind === "unknown-explanation") {
    return { title: "The server keeps this explanation no more", advice: "Choose the image again, if you have it.", retry: false };
  }
  if (error.kind === "cancelled") {
    return { title: "It was cancelled", advice: "Nothing is left of it. You can begin anew.", retry: true };
  }
  if (error.kind === "internal-error") {
    return { title: "Something broke on the server", advice: "Try once more. If it breaks again, tell whoever runs this server.", retry: true };
  }
  if (error.kind === "invalid-option") {
    const advice = "Change what is asked for, then press “Explain the image shown again”.";
    return { title: "The server does not take what was asked", advice, retry: false };
  }
  if (error.kind) {
    return { title: error.title, advice: "Change what is asked for, then try again.", retry: true };
  }
  return { title: "The connection was lost before the answer came", advice: "Your image is still here. Try again once the server answers.", retry: true };
}
