// Figures of a report: traces and layouts for Plotly, made of the page's data and its colours.
// Decides how numbers become marks. Refuses to know the page around them (report_page.js).
"use strict";

const Plots = (() => {
  const {
    esc,
    cut,
    colour,
    percent,
    short,
    sum,
    moment,
    layout,
    timeAxis,
    line,
    selection,
    windowText,
    STYLES,
    alpha,
  } = Marks;
  const WHISKER = 1.96; // Standard deviations: 95 of 100.

  // Of each bar; a group of values is called by its bounds.
  function names(bars) {
    if (bars.names.length) return bars.names;
    const edges = bars.edges.map(short);
    const between = edges.slice(1).map((high, k) => `${edges[k]} to ${high}`);
    return [`up to ${edges[0]}`, ...between, `above ${edges.at(-1)}`];
  }

  function distribution(data, column, chosen) {
    const bars = column.bars;
    const counts =
      chosen < 0
        ? bars.reference.map((_, k) => sum(bars.current.map((own) => own[k])))
        : bars.current[chosen];
    const n = sum(counts),
      m = sum(bars.reference);
    const now = counts.map((count) => (n ? count / n : 0));
    const before = bars.reference.map((count) => (m ? count / m : 0));
    const whiskers = before.map((p) =>
      n && m ? WHISKER * Math.sqrt(p * (1 - p) * (1 / n + 1 / m)) : 0,
    );
    const places = before.map((_, k) => k);
    const ranges = names(bars);
    const told = ranges.map(
      (name, k) =>
        `${esc(cut(name, 60))}<br>reference ${percent(before[k])} ± ` +
        `${percent(whiskers[k])} by chance<br>window ${percent(now[k])} (${counts[k].toLocaleString("en")} rows)`,
    );
    const bar = (y, name, style, more) => ({
      type: "bar",
      name,
      x: places,
      y,
      text: told,
      hoverinfo: "text",
      textposition: "none",
      marker: { color: colour(style) },
      ...more,
    });
    const traces = [
      bar(before, "reference", "reference", {
        error_y: { type: "data", array: whiskers, color: colour("soft"), thickness: 1, width: 0 },
      }),
      bar(now, chosen < 0 ? "all windows" : moment(data.windows.start[chosen]), "current"),
    ];
    const ticks = bars.names.length
      ? { tickvals: places, ticktext: bars.names.map((name) => esc(cut(name, 14))) }
      : // Bounds stand between bars, where they are.
        { tickvals: bars.edges.map((_, k) => k + 0.5), ticktext: bars.edges.map(short) };
    return [
      traces,
      layout(
        {
          barmode: "group",
          bargap: 0.2,
          xaxis: {
            ...ticks,
            showgrid: false,
            tickangle: places.length > 5 ? -50 : 0,
            tickfont: { size: 10 },
          },
          yaxis: { tickformat: ".0%", rangemode: "tozero" },
        },
        270,
      ),
      n,
    ];
  }

  function statistic(data, column, at, chosen) {
    const each = column.statistics[at];
    const limits =
      each.q99 &&
      each.q99.map((q99, k) => {
        const limit = data.windows.threshold[k];
        return q99 === null || limit === null ? null : q99 * limit;
      });
    const isLoud = (k) => k >= 0 && limits && column.drift.loud[k] && each.value[k] > limits[k];
    const told = data.windows.start.map((_, k) => {
      const limit = limits ? `, drift above ${short(limits[k])}` : "";
      const noise = each.noise ? `, without drift about ${short(each.noise[k])}` : "";
      return `${windowText(data, k)}<br>${short(each.value[k])}${limit}${noise}`;
    });
    const own = line(data, each.value, "window", { colour: "current" }, told);
    own.marker.symbol = own.customdata.map((k) =>
      k < 0 || data.windows.status[k] !== "ok" ? "circle-open" : isLoud(k) ? "diamond" : "circle",
    );
    const [loud, quiet] = [colour("alarm"), colour("current")];
    own.marker.color = own.customdata.map((k) => (isLoud(k) ? loud : quiet));
    const traces = [own];
    const flat = { mode: "lines", hoverinfo: "skip" };
    if (limits) {
      const style = { colour: "alarm", dash: "dash" };
      traces.push(line(data, limits, "drift above", style, null, flat));
    }
    if (each.noise) {
      const style = { colour: "reference", dash: "dot" };
      traces.push(line(data, each.noise, "expected without drift", style, null, flat));
    }
    return [
      traces,
      layout({
        xaxis: timeAxis(data),
        yaxis: { rangemode: "tozero" },
        shapes: selection(data, chosen),
      }),
    ];
  }

  // `found`: those that are there, in the reference or in a window.
  function defects(data, found, chosen) {
    const traces = [];
    const none = data.windows.start.map(() => 0);
    found.forEach((each, k) => {
      const style = STYLES[k % STYLES.length],
        name = esc(each.name.replaceAll("_", " "));
      const share = each.share || none;
      const told = share.map(
        (value, at) =>
          `${windowText(data, at)}<br>${name} ${percent(value)}, reference ${percent(each.reference_share)}`,
      );
      traces.push(line(data, share, name, style, told));
      traces.push(
        line(
          data,
          share.map(() => each.reference_share),
          `${name}, reference`,
          { ...style, dash: "dot" },
          null,
          { mode: "lines", hoverinfo: "skip", showlegend: false },
        ),
      );
    });
    return [
      traces,
      layout({
        xaxis: timeAxis(data),
        yaxis: { tickformat: ".2~%", rangemode: "tozero" },
        shapes: selection(data, chosen),
      }),
      found.length,
    ];
  }

  function level(data, column, chosen) {
    const { mean, sd, reference_mean: m, reference_sd: s } = column;
    const told = mean.map(
      (value, k) =>
        `${windowText(data, k)}<br>mean ${short(value)}, sd ${short(sd[k])}` +
        `<br>reference ${short(m)}, sd ${short(s)}`,
    );
    const edge = (sign) => mean.map((value, k) => (value === null ? null : value + sign * sd[k]));
    const thin = { mode: "lines", hoverinfo: "skip", showlegend: false };
    const constant = (value, name, more) => ({
      type: "scatter",
      mode: "lines",
      name,
      x: [data.windows.start[0], data.windows.start.at(-1) + data.length],
      y: [value, value],
      hoverinfo: "skip",
      line: { color: colour("reference"), width: 1.4, dash: "dot" },
      ...more,
    });
    const traces = [
      constant(m - s, "", { showlegend: false, line: { width: 0 } }),
      constant(m + s, "reference ± sd", {
        fill: "tonexty",
        line: { width: 0 },
        fillcolor: alpha(colour("reference"), 0.25),
      }),
      constant(m, "reference mean"),
      line(data, edge(-1), "", { colour: "current", width: 0.8, dash: "dot" }, null, thin),
      line(data, edge(1), "", { colour: "current", width: 0.8, dash: "dot" }, null, {
        ...thin,
        showlegend: true,
        name: "± sd",
      }),
      line(data, mean, "mean", { colour: "current" }, told),
    ];
    return [traces, layout({ xaxis: timeAxis(data), shapes: selection(data, chosen) })];
  }

  function accuracy(data, chosen) {
    const found = data.accuracy;
    const traces = [];
    for (const [key, name, style] of [
      ["estimated", "accuracy", STYLES[0]],
      ["estimated_f1", "F1", STYLES[2]],
      ["estimated_roc_auc", "ROC AUC", STYLES[3]],
    ]) {
      if (!found[key]) continue;
      const told = found[key].map(
        (value, k) => `${windowText(data, k)}<br>estimated ${name} ${percent(value)}`,
      );
      traces.push(line(data, found[key], `${name}, estimated`, style, told));
    }
    traces.push(
      line(
        data,
        found.estimated.map(() => found.reference),
        "accuracy of the reference",
        { colour: "reference", dash: "dot" },
        null,
        { mode: "lines", hoverinfo: "skip" },
      ),
    );
    return [
      traces,
      layout({
        xaxis: timeAxis(data),
        yaxis: { tickformat: ".1~%" },
        shapes: selection(data, chosen),
      }),
    ];
  }

  function stacked(data, parts, chosen) {
    const middles = data.windows.start.map((start) => start + data.length / 2);
    const traces = Object.entries(parts).map(([name, values], k) => ({
      type: "bar",
      name: esc(name),
      x: middles,
      y: values,
      width: data.length,
      marker: {
        color: colour(STYLES[k % STYLES.length].colour),
        pattern: { shape: ["", "/", ".", "x", "-"][k % 5] },
      },
      text: values.map(
        (value, at) => `${windowText(data, at)}<br>${esc(name)} ${value.toLocaleString("en")}`,
      ),
      hoverinfo: "text",
      textposition: "none",
    }));
    return [
      traces,
      layout({
        barmode: "stack",
        bargap: 0,
        xaxis: timeAxis(data),
        yaxis: { rangemode: "tozero" },
        shapes: selection(data, chosen),
        showlegend: traces.length > 1,
      }),
    ];
  }

  return { names, distribution, statistic, defects, level, accuracy, stacked };
})();
