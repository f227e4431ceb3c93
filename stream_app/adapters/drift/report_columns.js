// The columns of a report: their plots are made when one is opened, and dropped when it is closed,
// so that a page of hundreds of them stays quick.
"use strict";

const Columns = (() => {
  const { short, percent, moment, words } = Marks;
  const { put, show, forget, card, numbers } = Cards;

  function fill(own, data, state) {
    const column = data.columns[Number(own.dataset.at)];
    const place = own.querySelector(".cards");
    if (place.children.length) return;
    shares(place, data, column, state);
    measured(place, data, column, state);
    if (column.reference_mean !== null) level(place, data, column, state);
    defects(place, data, column, state);
  }

  function empty(own) {
    own.querySelectorAll(".plot").forEach(forget);
    own.querySelector(".cards").replaceChildren();
  }

  function shares(place, data, column, state) {
    const own = card(place, "Distribution");
    const kind = column.kind === "numeric" ? "groups of values, of unequal width; " : "";
    const make = () => {
      const [traces, shape, rows] = Plots.distribution(data, column, state.chosen);
      const count = rows.toLocaleString("en");
      own.line.textContent = `shares of ${count} rows; ${kind}whiskers: what chance allows`;
      return [traces, shape];
    };
    show(own.plot, make, true);
    numbers(own.own, () => {
      const [before, now] = make()[0];
      return [
        ["value", "reference", "shown"],
        Plots.names(column.bars).map((name, k) => [name, percent(before.y[k]), percent(now.y[k])]),
      ];
    });
  }

  function measured(place, data, column, state) {
    const own = card(place, "Statistic over time");
    const select = put(own.line, "select", "", { "aria-label": "Statistic" });
    column.statistics.forEach((each, k) => {
      const told = each.words + (each.score ? "" : " (for information)");
      put(select, "option", told, { value: k });
    });
    select.value = String(worstStatistic(column));
    const make = () => Plots.statistic(data, column, Number(select.value), state.chosen);
    show(own.plot, make);
    select.addEventListener("change", () => show(own.plot, make));
    const scored = (each, both) => (each.score ? both : both.slice(0, 1));
    numbers(own.own, () => [
      [
        ...["window", "values", "status"],
        ...column.statistics.flatMap((each) => scored(each, [each.words, "its score"])),
      ],
      data.windows.start.map((start, k) => [
        moment(start),
        column.valid[k].toLocaleString("en"),
        data.windows.status[k],
        ...column.statistics.flatMap((each) =>
          scored(each, [short(each.value[k]), short(each.score?.[k])]),
        ),
      ]),
    ]);
  }

  function worstStatistic(column) {
    const most = column.statistics.map((each) =>
      Math.max(-1, ...(each.score || []).map((score) => score ?? -1)),
    );
    return Math.max(0, most.indexOf(Math.max(...most)));
  }

  function level(place, data, column, state) {
    const told = "of values, those far outside the reference's range moved to its neighbourhood";
    const own = card(place, "Mean and standard deviation", told);
    show(own.plot, () => Plots.level(data, column, state.chosen));
    const before = [column.reference_mean, column.reference_sd].map(short);
    numbers(own.own, () => [
      ["window", "mean", "sd", "reference's mean", "its sd"],
      data.windows.start.map((start, k) => [
        moment(start),
        short(column.mean[k]),
        short(column.sd[k]),
        ...before,
      ]),
    ]);
  }

  function defects(place, data, column, state) {
    const some = column.defects.filter((each) => each.share || each.reference_share);
    if (!some.length) {
      const sorts = column.defects.map((each) => words(each.name)).join(", ");
      card(place, "Values counted apart", `none: ${sorts}`).plot.remove();
      return;
    }
    const own = card(place, "Values counted apart", "shares of rows; dotted: the reference's");
    show(own.plot, () => Plots.defects(data, some, state.chosen));
    numbers(own.own, () => [
      ["window", ...some.map((each) => words(each.name))],
      [
        ["reference", ...some.map((each) => percent(each.reference_share))],
        ...data.windows.start.map((start, k) => [
          moment(start),
          ...some.map((each) => percent(each.share ? each.share[k] : 0)),
        ]),
      ],
    ]);
  }

  return { fill, empty };
})();
