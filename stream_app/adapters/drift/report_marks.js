// What all figures of a report share: words, colours, axes of time, lines over windows.
// Decides how times and numbers read. Refuses to know any figure (report_plots.js).
// Names come from data: whatever Plotly shows goes through esc(), since it reads some HTML.
"use strict";

const Marks = (() => {
  const esc = (text) => String(text).replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
  const cut = (text, most) => (text.length <= most ? text : `${text.slice(0, most - 1)}…`);
  const colour = (name) => getComputedStyle(document.body).getPropertyValue(`--${name}`).trim();
  const percent = (share) =>
    share === null ? "–" : `${(100 * share).toFixed(share < 0.1 ? 2 : 1)} %`;
  const short = (value) =>
    value === null || value === undefined ? "–" : String(+value.toPrecision(4));
  const words = (name) => name.replaceAll("_", " ");
  const sum = (values) => values.reduce((total, value) => total + value, 0);

  function moment(ms) {
    const text = new Date(ms).toISOString();
    return ms % 86400000 ? text.slice(0, 16).replace("T", " ") : text.slice(0, 10);
  }

  function layout(more, height = 240) {
    const axis = {
      gridcolor: colour("line"),
      zerolinecolor: colour("line"),
      linecolor: colour("line"),
      automargin: true,
      fixedrange: true,
    };
    const { xaxis = {}, yaxis = {}, ...rest } = more;
    return {
      height,
      margin: { l: 46, r: 10, t: 8, b: 30 },
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      font: { color: colour("text"), family: "system-ui, sans-serif", size: 12 },
      hoverlabel: {
        bgcolor: colour("raised"),
        bordercolor: colour("line"),
        align: "left",
        font: { color: colour("text"), size: 12 },
      },
      showlegend: true,
      legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom", font: { size: 11 } },
      xaxis: { ...axis, ...xaxis },
      yaxis: { ...axis, ...yaxis },
      ...rest,
    };
  }

  const timeAxis = (data, more = {}) => ({
    type: "date",
    range: [data.windows.start[0], data.windows.start.at(-1) + data.length],
    hoverformat: "%Y-%m-%d %H:%M",
    ...more,
  });

  // Values over time: each in the middle of its window, and no line over a gap.
  function series(data, values, texts) {
    const x = [],
      y = [],
      text = [],
      at = [];
    data.windows.start.forEach((start, k) => {
      if (k && start > data.windows.start[k - 1] + data.length) {
        (x.push(start), y.push(null), text.push(""), at.push(-1));
      }
      (x.push(start + data.length / 2),
        y.push(values[k]),
        text.push(texts ? texts[k] : ""),
        at.push(k));
    });
    return { x, y, text, customdata: at };
  }

  const line = (data, values, name, style, texts, more = {}) => ({
    type: "scatter",
    mode: "lines+markers",
    name,
    ...series(data, values, texts),
    line: { color: colour(style.colour), dash: style.dash || "solid", width: style.width || 1.6 },
    marker: { size: data.windows.start.length > 150 ? 3 : 5, symbol: style.symbol || "circle" },
    hoverinfo: texts ? "text" : "x+y+name",
    connectgaps: false,
    ...more,
  });

  function selection(data, at) {
    if (at < 0) return [];
    const start = data.windows.start[at];
    return [
      {
        type: "rect",
        xref: "x",
        yref: "paper",
        x0: start,
        x1: start + data.length,
        y0: 0,
        y1: 1,
        line: { color: colour("text"), width: 1 },
        fillcolor: alpha(colour("text"), 0.06),
      },
    ];
  }

  function windowText(data, at) {
    const { status, rows, final } = data.windows;
    const told =
      status[at] === "ok" ? "" : status[at] === "empty" ? ", no rows" : ", too few rows to judge";
    return `${moment(data.windows.start[at])}, ${rows[at].toLocaleString("en")} rows${told}${final[at] ? "" : ", still open"}`;
  }

  const STYLES = [
    { colour: "current" },
    { colour: "alarm", symbol: "square" },
    { colour: "third", symbol: "diamond" },
    { colour: "fourth", symbol: "triangle-up" },
    { colour: "reference", symbol: "cross" },
  ];

  const alpha = (hex, share) =>
    hex +
    Math.round(255 * share)
      .toString(16)
      .padStart(2, "0");

  return {
    esc,
    cut,
    colour,
    percent,
    short,
    sum,
    words,
    moment,
    layout,
    timeAxis,
    line,
    selection,
    windowText,
    STYLES,
    alpha,
  };
})();
