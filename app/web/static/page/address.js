// What the page shows, in its address after the #: never sent to a server, and read again by whoever opens it.

const LISTS = new Set(["targets", "methods", "case"]);

/** Names and values, lists as lists. */
export function read() {
  const given = [...new URLSearchParams(location.hash.slice(1))];
  return Object.fromEntries(given.map(([name, value]) => [name, LISTS.has(name) ? value.split(",").filter(Boolean) : value]));
}

/** Empty values are left out. */
export function write(state) {
  const said = Object.entries(state).filter(([, value]) => value !== null && value !== undefined && String(value) !== "");
  const text = said.map(([name, value]) => `${name}=${[value].flat().map(encodeURIComponent).join(",")}`).join("&");
  if (location.hash.slice(1) !== text) history.replaceState(null, "", text ? `#${text}` : location.pathname);
}
