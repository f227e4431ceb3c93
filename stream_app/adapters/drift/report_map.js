// The map of a report: each column in each window, by its score.
// Decides what colours, crosses and marks mean, and what a cell says when it is pointed at.
"use strict";

const ScoreMap = (() => {
  const { esc, cut, colour, percent, short, moment, layout, timeAxis, selection } = Marks;
  const { windowText } = Marks;
  const FAR = 3; // Thresholds; the colour ends there.
  const MOST_CROSSES = 1500;
  const NARROW = 600; // CSS pixels.

  function driftLines(data, column, at) {
    const lines = [];
    for (const each of column.statistics) {
      if (!each.score || each.score[at] === null) continue;
      lines.push(
        `${esc(each.words)}: ${short(each.value[at])}; 1 % exceed ${short(each.q99[at])} by chance`,
        `score ${short(each.score[at])}, threshold ${short(data.windows.threshold[at])}`,
      );
    }
    if (column.pairs && column.valid[at]) {
      const pair = column.pairs[at].map((name) => esc(cut(name, 30))).join(" and ");
      const [now, before] = [column.current[at], column.reference[at]].map(short);
      lines.push(`${pair}: ${now}, reference ${before}`);
    }
    return lines;
  }

  const apartLines = (column, at) =>
    (column.defects || [])
      .filter((each) => each.share && each.share[at])
      .map(
        (each) =>
          `${esc(each.name.replaceAll("_", " "))} ${percent(each.share[at])}, ` +
          `reference ${percent(each.reference_share)}`,
      );

  function cellText(data, column, rule, at) {
    const own = column[rule];
    const words = rule === "drift" ? driftLines(data, column, at) : apartLines(column, at);
    const isSmall = own.ratio[at] > 1 && !own.loud[at] && data.windows.status[at] === "ok";
    return [
      `<b>${esc(cut(column.name, 60))}</b>`,
      windowText(data, at),
      ...words,
      `values: ${column.valid[at].toLocaleString("en")}`,
      ...(own.loud[at] ? [`<b>${rule === "drift" ? "drift" : "defects"}</b>`] : []),
      ...(isSmall ? ["certain, but too small to matter"] : []),
    ].join("<br>");
  }

  // Cells are as wide as their windows; between windows that do not touch there is an empty one.
  function grid(data) {
    const edges = [data.windows.start[0]];
    const places = [];
    data.windows.start.forEach((start, at) => {
      if (start > edges.at(-1)) {
        places.push(-1);
        edges.push(start);
      }
      places.push(at);
      edges.push(start + data.length);
    });
    return { edges, places };
  }

  function crosses(data, rows, isJudged) {
    const found = [];
    rows.forEach((column, k) =>
      data.windows.start.forEach((start, at) => {
        if (!isJudged(column, at)) found.push([start + data.length / 2, k]);
      }),
    );
    if (!found.length || found.length > MOST_CROSSES) return [];
    return [
      {
        type: "scatter",
        mode: "markers",
        x: found.map(([x]) => x),
        y: found.map(([, y]) => y),
        marker: { symbol: "x-thin", size: 6, line: { width: 1, color: colour("soft") } },
        hoverinfo: "skip",
      },
    ];
  }

  function alertMarks(data, rows, rule) {
    const wanted = rule === "drift" ? "distribution" : "quality";
    const found = data.alerts
      .filter((alert) => alert.rule === wanted)
      .map((alert) => [alert, rows.findIndex((column) => column.name === alert.column)])
      .filter(([alert, k]) => k >= 0 && data.windows.start.includes(alert.opened));
    if (!found.length) return [];
    const sizes = { critical: 13, alert: 10, warn: 8 };
    const text = ([alert]) =>
      `<b>${esc(alert.level)}</b> ${esc(alert.state)}<br>${esc(cut(alert.column, 60))}<br>` +
      `opened ${moment(alert.opened)}`;
    return [
      {
        type: "scatter",
        mode: "markers",
        hoverinfo: "text",
        x: found.map(([alert]) => alert.opened + data.length / 2),
        y: found.map(([, k]) => k),
        customdata: found.map(([alert]) => data.windows.start.indexOf(alert.opened)),
        text: found.map(text),
        marker: {
          symbol: found.map(([alert]) =>
            alert.state === "withdrawn" ? "triangle-up-open" : "triangle-up",
          ),
          size: found.map(([alert]) => sizes[alert.level] || 8),
          color: colour("text"),
          opacity: 1,
          line: { color: colour("back"), width: 1.5 },
        },
      },
    ];
  }

  // `rule`: of distributions ("drift"), or of values that are counted apart ("apart").
  function heat(data, columns, rule, chosen) {
    const { edges, places } = grid(data);
    const rows = [...columns].reverse();
    const isJudged = (column, at) =>
      data.windows.status[at] === "ok" && column[rule].ratio[at] !== null;
    // What is no drift by the rules is not coloured as if it were, and the other way round.
    const shown = ({ ratio, loud }, at) =>
      loud[at] ? Math.max(1.0001, Math.min(FAR, ratio[at])) : Math.min(0.999, ratio[at]);
    const cells = (cell) =>
      rows.map((column) => places.map((at) => (at < 0 ? null : cell(column, at))));
    const common = {
      type: "heatmap",
      x: edges,
      y: rows.map((_, k) => k),
      text: cells((column, at) => cellText(data, column, rule, at)),
      customdata: rows.map(() => places),
      hoverinfo: "text",
      showscale: false,
      xgap: places.length < 120 ? 1 : 0,
      ygap: 1,
    };
    const judged = {
      ...common,
      z: cells((column, at) => (isJudged(column, at) ? shown(column[rule], at) : null)),
      zmin: 0,
      zmax: FAR,
      // Beyond the threshold another colour begins.
      colorscale: [
        [0, colour("low")],
        [1 / FAR, colour("high")],
        [1 / FAR, colour("over")],
        [1, colour("far")],
      ],
    };
    const others = {
      ...common,
      z: cells((column, at) => (isJudged(column, at) ? null : column.valid[at] ? 1 : 0)),
      zmin: 0,
      zmax: 1,
      colorscale: [
        [0, colour("none")],
        [1, colour("unknown")],
      ],
    };
    const narrow = window.innerWidth < NARROW;
    const shape = layout(
      {
        showlegend: false,
        margin: { l: 10, r: 6, t: 6, b: 30 },
        shapes: selection(data, chosen),
        // On a narrow screen a finger scrolls the page, and does not choose a span of time.
        dragmode: narrow ? false : "zoom",
        xaxis: timeAxis(data, {
          range: [edges[0], edges.at(-1)],
          showgrid: false,
          fixedrange: narrow,
        }),
        yaxis: {
          tickvals: rows.map((_, k) => k),
          ticktext: rows.map((column) => esc(cut(column.name, narrow ? 13 : 28))),
          showgrid: false,
          range: [-0.5, rows.length - 0.5],
          zeroline: false,
          tickfont: { size: narrow ? 10 : 12 },
        },
      },
      60 + 24 * rows.length,
    );
    return [
      [judged, others, ...crosses(data, rows, isJudged), ...alertMarks(data, rows, rule)],
      shape,
    ];
  }

  return { heat };
})();
