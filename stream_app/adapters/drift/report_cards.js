// Cards of a report: a title, a plot, and its numbers as a table; and what is drawn just now.
// Decides what is drawn again when the window or the colours change. Text is set as text, never as
// HTML, whatever it comes from.
"use strict";

const Cards = (() => {
  const CONFIG = { displayModeBar: false, responsive: true };
  // By its element: how a plot is made, and whether it shows the chosen window alone.
  const drawn = new Map();
  let most = Infinity; // CSS pixels that a plot may be wide; on paper it does not fit itself.

  function put(parent, name, text = "", attributes = {}) {
    const element = document.createElement(name);
    element.textContent = text;
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    parent.append(element);
    return element;
  }

  function draw(place) {
    const [traces, shape] = drawn.get(place).make();
    if (place.clientWidth > most) shape.width = most;
    Plotly.react(place, traces, shape, CONFIG);
  }

  function show(place, make, ofWindow = false) {
    drawn.set(place, { make, ofWindow });
    draw(place);
  }

  function forget(place) {
    drawn.delete(place);
    Plotly.purge(place);
  }

  function redraw(width = Infinity) {
    most = width;
    [...drawn.keys()].forEach(draw);
  }

  // Another window: most plots only move their mark.
  function mark(shapes) {
    for (const [place, { ofWindow }] of drawn) {
      if (ofWindow) draw(place);
      else Plotly.relayout(place, { shapes });
    }
  }

  function card(parent, title, told = "") {
    const own = put(parent, "div", "", { class: "card" });
    put(own, "h3", title);
    const line = put(own, "p", told);
    const label = `${title}. ${told}`;
    const plot = put(own, "div", "", { class: "plot", role: "img", "aria-label": label });
    return { own, line, plot };
  }

  function table(parent, head, rows) {
    const scrolls = { class: "wide", tabindex: "0", role: "region", "aria-label": "Numbers" };
    const own = put(put(parent, "div", "", scrolls), "table");
    const top = put(put(own, "thead"), "tr");
    head.forEach((name, k) =>
      put(top, "th", name, { scope: "col", ...(k ? { class: "number" } : {}) }),
    );
    const body = put(own, "tbody");
    rows.forEach((row) => {
      const line = put(body, "tr");
      row.forEach((cell, k) => put(line, "td", cell, k ? { class: "number" } : {}));
    });
  }

  // A table is made when it is opened: pages have thousands of cells that nobody looks at.
  function numbers(parent, make) {
    const own = put(parent, "details");
    put(own, "summary", "In numbers");
    own.addEventListener("toggle", () => {
      own.querySelector(".wide")?.remove();
      if (own.open) table(own, ...make());
    });
  }

  return { put, show, forget, redraw, mark, card, numbers };
})();
