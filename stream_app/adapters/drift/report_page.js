// The page of a report: the map, the chosen window, what concerns all columns; and who listens to
// what. Nothing is fetched; all data is in the page.
"use strict";

(() => {
  const { put, show, card, numbers } = Cards;
  const { moment, short, percent, words } = Marks;
  const ROWS_AT_FIRST = 30;
  const OPEN_AT_FIRST = 2;
  const PAPER = 660; // CSS pixels, of A4 and of letter paper.
  const data = JSON.parse(document.getElementById("data").textContent);
  const windows = data.windows.start.length;
  const state = { chosen: -1, rows: ROWS_AT_FIRST };
  const byId = (id) => document.getElementById(id);
  const [slider, rule, heat] = ["window", "rule", "heat"].map(byId);

  // --- the map ---

  function inMap() {
    const shown = data.columns.slice(0, state.rows);
    const hasAlso = data.correlation && rule.value === "drift";
    return hasAlso ? [...shown, data.correlation] : shown;
  }

  function drawMap() {
    show(heat, () => ScoreMap.heat(data, inMap(), rule.value, state.chosen));
    byId("reset").hidden = true;
  }

  function legend() {
    const place = byId("legend");
    const between = (low, high) =>
      `linear-gradient(90deg, ${Marks.colour(low)}, ${Marks.colour(high)})`;
    place.replaceChildren();
    for (const [fill, told] of [
      [between("low", "high"), "none, to nearly the threshold"],
      [between("over", "far"), "above the threshold, to three times of it"],
      [Marks.colour("unknown"), "× too few rows to judge"],
      [Marks.colour("none"), "× no values"],
    ]) {
      const entry = put(place, "span");
      put(entry, "i").style.background = fill;
      entry.append(told);
    }
    if (data.alerts.length) put(place, "span", "▲ an alert opened");
  }

  function clicked(event) {
    const { y, customdata } = event.points[0];
    if (customdata >= 0) choose(customdata);
    const at = data.columns.indexOf(inMap().at(-1 - y));
    const own = document.querySelector(`.column[data-at="${at}"]`);
    if (!own) return;
    own.hidden = false;
    own.open = true;
    own.scrollIntoView({ block: "start" });
    own.querySelector("summary").focus({ preventScroll: true });
  }

  // --- the chosen window ---

  function choose(at) {
    state.chosen = at;
    byId("all").setAttribute("aria-pressed", String(at < 0));
    if (at >= 0) slider.value = at;
    const told = at < 0 ? `all ${windows.toLocaleString("en")} windows together` : toldOf(at);
    byId("told").textContent = `Distributions show ${told}`;
    slider.setAttribute("aria-valuetext", told);
    Cards.mark(Marks.selection(data, at));
  }

  function toldOf(at) {
    const named = Marks.windowText(data, at);
    if (data.windows.status[at] !== "ok") return named;
    if (!data.windows.drift[at]) return `${named}; no drift`;
    const names = data.columns.filter((each) => each.drift.loud[at]).map((each) => each.name);
    if (!names.length) return `${named}; drift of the correlation`;
    const more = names.length > 3 ? ` and ${names.length - 3} more` : "";
    return `${named}; drift in ${names.slice(0, 3).join(", ")}${more}`;
  }

  const step = (by) => choose(Math.max(0, Math.min(windows - 1, Number(slider.value) + by)));

  // --- what concerns all columns ---

  function correlation(place) {
    const found = data.correlation;
    const own = card(place, "Correlation", "the pair of columns whose correlation changed most");
    show(own.plot, () => Plots.statistic(data, found, 0, state.chosen));
    numbers(own.own, () => [
      ["window", "pair", "now", "reference", "score"],
      data.windows.start.map((start, k) => [
        moment(start),
        found.pairs[k].join(" and "),
        ...[found.current[k], found.reference[k], found.statistics[0].score?.[k]].map(short),
      ]),
    ]);
  }

  function accuracy(place) {
    const told = "from scores, without labels; blind to a changed meaning of inputs";
    const own = card(place, "Accuracy, estimated", told);
    show(own.plot, () => Plots.accuracy(data, state.chosen));
    const found = data.accuracy;
    numbers(own.own, () => [
      ["window", "estimated", "reference"],
      data.windows.start.map((start, k) => [
        moment(start),
        ...[found.estimated[k], found.reference].map(percent),
      ]),
    ]);
  }

  function volume(place, title, told, parts) {
    const own = card(place, title, told);
    if (!Object.keys(parts).length) {
      own.plot.remove();
      return;
    }
    show(own.plot, () => Plots.stacked(data, parts, state.chosen));
    numbers(own.own, () => [
      ["window", ...Object.keys(parts).map(words)],
      data.windows.start.map((start, k) => [
        moment(start),
        ...Object.values(parts).map((values) => values[k].toLocaleString("en")),
      ]),
    ]);
  }

  function together() {
    const place = byId("together");
    const letters = data.windows.letters;
    const told = Object.keys(letters).length ? "by code, in each window" : "none";
    if (data.correlation) correlation(place);
    if (data.accuracy) accuracy(place);
    volume(place, "Predictions", "rows in each window", { rows: data.windows.rows });
    volume(place, "Dead letters", told, letters);
  }

  // --- who listens ---

  function listenToPicker() {
    slider.max = windows - 1;
    slider.addEventListener("input", () => choose(Number(slider.value)));
    byId("back").addEventListener("click", () => step(-1));
    byId("next").addEventListener("click", () => step(1));
    byId("all").addEventListener("click", () =>
      choose(state.chosen < 0 ? Number(slider.value) : -1),
    );
  }

  function listenToMap() {
    heat.on("plotly_click", clicked);
    heat.on("plotly_relayout", (event) => {
      if (event["xaxis.range[0]"] !== undefined) byId("reset").hidden = false;
    });
    rule.addEventListener("change", drawMap);
    byId("reset").addEventListener("click", drawMap);
    const more = byId("more");
    more.hidden = data.columns.length <= ROWS_AT_FIRST;
    more.textContent = `Show all ${data.columns.length.toLocaleString("en")} columns`;
    more.addEventListener("click", () => {
      state.rows = data.columns.length;
      more.hidden = true;
      drawMap();
    });
    document.querySelectorAll("a[data-alert]").forEach((link) =>
      link.addEventListener("click", () => {
        const alert = data.alerts.find((each) => each.id === link.dataset.alert);
        rule.value = alert.rule === "distribution" ? "drift" : "apart";
        drawMap();
        choose(data.windows.start.indexOf(alert.opened));
      }),
    );
  }

  function listenToColumns() {
    const columns = [...document.querySelectorAll(".column")];
    columns.forEach((own) =>
      own.addEventListener("toggle", () =>
        own.open ? Columns.fill(own, data, state) : Columns.empty(own),
      ),
    );
    byId("filter")?.addEventListener("input", (event) => {
      const wanted = event.target.value.toLowerCase();
      columns.forEach((own) => {
        own.hidden = !own.querySelector("b").textContent.toLowerCase().includes(wanted);
      });
    });
    document.querySelectorAll("a[data-column]").forEach((link) =>
      link.addEventListener("click", () => {
        const own = byId(link.hash.slice(1));
        own.hidden = false;
        own.open = true;
      }),
    );
  }

  function recolour() {
    legend();
    Cards.redraw();
  }

  function onPaper(is) {
    document.documentElement.classList.toggle("paper", is);
    legend();
    Cards.redraw(is ? PAPER : Infinity);
  }

  legend();
  drawMap();
  together();
  listenToPicker();
  listenToMap();
  listenToColumns();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", recolour);
  addEventListener("beforeprint", () => onPaper(true));
  addEventListener("afterprint", () => onPaper(false));
  document.querySelectorAll(".column").forEach((own) => {
    own.open = Number(own.dataset.at) < OPEN_AT_FIRST;
  });
  // The newest window with drift; without, the newest that was judged.
  const last = (test) => data.windows.start.findLastIndex((_, at) => test(at));
  choose(
    [(at) => data.windows.drift[at], (at) => data.windows.status[at] === "ok", () => true]
      .map(last)
      .find((at) => at >= 0),
  );
})();
