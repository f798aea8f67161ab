// What is said of one point: its figures, who leaves where, which groups pay. Text only ever becomes text.

function html(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  Object.entries(attributes).forEach(([name, value]) => node.setAttribute(name, value));
  node.append(...children);
  return node;
}

// A table in a frame that scrolls where it must, by keyboard too. Cells are text or nodes; those of a table that folds
// break their lines where there is little room.
function tableOf(label, header, rows, { left = 1, folds = false } = {}) {
  const cells = (row, tag) =>
    row.map((cell, k) => {
      const node = html(k === 0 && tag === "td" ? "th" : tag, k < left ? { class: "left" } : {}, cell);
      if (tag === "th" || k === 0) node.setAttribute("scope", tag === "th" ? "col" : "row");
      return node;
    });
  const head = html("thead", {}, html("tr", {}, ...cells(header, "th")));
  const body = html("tbody", {}, ...rows.map((row) => html("tr", {}, ...cells(row, "td"))));
  const look = folds ? "scroll fold" : "scroll";
  return html(
    "div",
    { class: look, tabindex: "0", role: "region", "aria-label": label },
    html("table", {}, head, body),
  );
}

// The front in a few words.
function aboutOf(front) {
  const { solver, n_samples: samples } = front.data;
  const found = `${say.count(front.length)} configurations found by ${solver} on ${say.count(samples)} samples`;
  return `${found}: ${front.words.about}`;
}

// The point in a sentence.
function inWords(front, i) {
  const { held } = front;
  const which = `Point ${say.count(i + 1)} of ${say.count(front.length)}, ${usedIn(front, i)}`;
  const who = held && held.is_searched ? "as observed" : "held-out samples get";
  const there = held ? `; ${who} drop ${say.points(held.drop[i])} at ${say.relative(held.relative[i])}` : "";
  const sure = i === front.certified ? " This point is certified." : "";
  return `${which}: ${front.data.scores} drop ${say.at(front, i)}${there}.${sure}`;
}

// What a point uses, in a few words.
function usedIn(front, i) {
  if (front.models)
    return exitsOf(front, i)
      .map(({ name }) => short(name, 24))
      .join(" \u203a ");
  const exits = front.first[i + 1] - front.first[i];
  return `${exits} ${exits === 1 ? "exit" : "exits"}`;
}

// Why no point is within limits: what the closest ones offer.
function beyondReach(front) {
  const [best, cheap] = [least(front.drop, () => true), least(front.relative, () => true)];
  const offers = `The most accurate has drop ${say.at(front, best)}, the cheapest ${say.at(front, cheap)}`;
  return `No point of this front is within these limits. ${offers}.`;
}

// Which groups are shown.
function groupsInWords(front, i) {
  const { groups, drop } = front.held;
  const what = groups.by === "label" ? "classes" : "groups";
  const all = `all together ${say.gap(drop[i])}`;
  return `The ${what} that lose most at this point, of ${say.count(groups.names.length)}; ${all}.`;
}

// Rows of figures: [what, promised, delivered], delivered where there are held-out samples.
function figureRows(front, i) {
  const { held, data } = front;
  const row = (name, of, show) => [name, show(of(front)), ...(held ? [show(of(held))] : [])];
  const rows = [
    row(
      "accuracy",
      (on) => on.accuracy[i],
      (value) => say.percent(value),
    ),
    row("accuracy drop", (on) => on.drop[i], say.points),
    row("relative cost", (on) => on.relative[i], say.relative),
    row(
      "saved",
      (on) => 1 - on.relative[i],
      (value) => say.percent(value, 1),
    ),
    row(
      "mean cost",
      (on) => on.cost[i],
      (value) => say.cost(value, front),
    ),
  ];
  if (front.disagreement)
    rows.push(
      row(
        `disagrees with ${front.words.last}`,
        (on) => on.disagreement[i],
        (value) => say.percent(value),
      ),
    );
  if (front.tail) {
    const shown = {
      "median sample costs": 0.5,
      "95 % cost at most": 0.05,
      "99 % cost at most": 0.01,
      "dearest sample costs": 0,
    };
    Object.entries(shown).forEach(([name, share], k) => {
      const promised = front.tail[i * data.shares.length + data.shares.indexOf(share)];
      rows.push([name, say.cost(promised, front), ...(held ? [say.cost(held.tail[4 * i + k], front)] : [])]);
    });
  }
  return rows;
}

function figuresTable(front, i) {
  const { held } = front;
  const header = ["", "promised", ...(held ? [held.is_searched ? "observed" : "delivered"] : [])];
  return tableOf("figures of the selected point", header, figureRows(front, i), { folds: true });
}

// What the columns of figures are.
function meaningOf(front) {
  const { held, data } = front;
  const promised = `Promised: ${data.scores} on the ${say.count(data.n_samples)} samples searched on.`;
  if (!held) return promised;
  if (held.is_searched) return `${promised} Observed: on the same samples.`;
  return `${promised} Delivered: on ${say.count(held.n_samples)} held-out samples.`;
}

// What the gap between promise and delivery says.
function gapInWords(front, i) {
  const { held } = front;
  if (!held) return "No held-out samples: pass held_out= to see what the point delivers, and who leaves where.";
  if (held.is_searched)
    return "These are the samples searched on, so all figures are optimistic: pass others as held_out=.";
  const gap = held.drop[i] - front.drop[i];
  if (Math.abs(gap) < 5e-5) return "It delivers what it promises.";
  return `It loses ${say.points(Math.abs(gap))} ${gap > 0 ? "more" : "less"} on held-out samples than it promises.`;
}

// Bars over the positions: the share of the samples that leaves, filled as far as they are right; a line where the
// final exit would be right on the same samples.
function barsOf(front, i, width) {
  const rows = exitsOf(front, i);
  const { models } = front;
  const [height, left, top, bottom] = [190, 44, 10, 34];
  const slots = models ? models.length : front.positions + 1;
  const slot = (width - left - 8) / slots;
  const most = 1.04 * Math.max(...rows.map(({ share }) => share), 0.05);
  const scale = ticks(0, most, 3);
  const py = (share) => top + (height - top - bottom) * (1 - share / most);
  const words = rows
    .filter(({ share }) => share > 0)
    .map((row) => `${placeOf(front, row)} ${say.percent(row.share, 1)}`);
  const root = svg("svg", {
    role: "img",
    class: "bars",
    width,
    height,
    viewBox: `0 0 ${width} ${height}`,
    "aria-label": `Who leaves where: ${words.join(", ")}`,
  });
  scale.found.forEach((share) => {
    root.append(svg("line", { x1: left, x2: width - 8, y1: py(share), y2: py(share), class: "grid" }));
    root.append(
      svg(
        "text",
        { x: left - 6, y: py(share) + 4, class: "tick end" },
        say.percent(share, Math.max(0, scale.decimals - 2)),
      ),
    );
  });
  const under = (p, text, most = Infinity) => {
    const x = Math.min(left + (p + 0.5) * slot, most);
    root.append(svg("text", { x, y: height - bottom + 15, class: "tick middle" }, text));
  };
  if (models) rows.forEach(({ name }, k) => under(k, short(name, Math.max(3, Math.floor(slot / 7)))));
  else {
    const every = Math.ceil(34 / slot / 2);
    for (let p = 0; p < front.positions; p += 1)
      if (p % every === 0 && (front.positions - p) * slot > 30) under(p, String(p));
    under(front.positions, "final", width - 16);
  }
  const across = models ? "models, as they are asked" : "position";
  root.append(svg("text", { x: left + (width - left) / 2, y: height - 4, class: "tick middle" }, across));
  const wide = Math.max(2, Math.min(34, 0.72 * slot));
  rows.forEach(({ position, share, accuracy, final }) => {
    const x = left + (position + 0.5) * slot - wide / 2;
    const bar = (part, look) =>
      svg("rect", { x, y: py(part), width: wide, height: Math.max(0, py(0) - py(part)), class: look });
    root.append(bar(share, "bar wrong"));
    if (share > 0) {
      root.append(bar(share * accuracy, "bar right"));
      root.append(
        svg("line", { x1: x - 2, x2: x + wide + 2, y1: py(share * final), y2: py(share * final), class: "would" }),
      );
    } else {
      root.append(svg("line", { x1: x, x2: x + wide, y1: py(0), y2: py(0), class: "would" }));
    }
  });
  return root;
}

// Where a row of the exits in use stands, in words.
function placeOf(front, { position, threshold, name }) {
  if (front.models) return name;
  return threshold === null ? "final exit" : `position ${position}`;
}

function exitsTable(front, i) {
  const { held, models, words } = front;
  const header = [...words.places, "threshold", "cost of leaving"];
  if (held) header.push("samples", "accuracy", words.lasts, "drop caused (points)");
  const rows = exitsOf(front, i).map((row) => [
    models ? String(row.position + 1) : row.threshold === null ? "final" : String(row.position),
    row.name,
    row.threshold === null ? NONE : say.threshold(row.threshold),
    say.relative(row.relative),
    ...(held ? [say.percent(row.share), say.percent(row.accuracy), say.percent(row.final), say.gap(row.lost, "")] : []),
  ]);
  return tableOf(words.listed, header, rows, { left: 2 });
}

// Groups that lose most, with bars.
function groupsPanel(front, i) {
  const groups = groupsOf(front, i);
  const most = Math.max(...groups.map(({ drop }) => Math.abs(drop)), 1e-9);
  const rows = groups.map(({ name, n, drop, error }) => {
    const size = (64 * Math.abs(drop)) / most;
    const bar = svg(
      "svg",
      { width: 66, height: 12, "aria-hidden": "true", class: "small" },
      svg("rect", { x: 0, y: 1, width: size, height: 10, class: drop > 0 ? "bar lost" : "bar right" }),
    );
    return [
      name,
      bar,
      say.gap(drop, ""),
      Number.isFinite(error) ? `\u00b1 ${say.number(100 * error, 2)}` : NONE,
      say.count(n),
    ];
  });
  return tableOf("groups that lose most", ["", "", "drop (points)", "standard error", "samples"], rows);
}
