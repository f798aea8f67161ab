// The front: its points, what is within limits (as in limits.py and ParetoFront.select), and configurations.

function readFront(data) {
  const { points, baseline, held, layout } = data;
  const front = {
    data,
    unit: data.unit,
    counted: data.counted,
    accuracy: unpacked(points.accuracy),
    cost: unpacked(points.cost),
    disagreement: points.disagreement && unpacked(points.disagreement),
    tail: points.tail && unpackedRepeats(points.tail),
    first: unpacked(points.first),
    exit: unpacked(points.exit),
    threshold: unpacked(points.threshold),
    baseline,
    held: held && readHeld(held),
    certified: data.certificate ? data.certificate.index : null,
    models: data.models,
  };
  front.words = wordsOf(data);
  front.length = front.cost.length;
  front.drop = front.accuracy.map((accuracy) => baseline.accuracy - accuracy);
  front.relative = front.cost.map((cost) => cost / baseline.cost);
  front.positions = layout.position[layout.position.length - 1];
  front.firstAt = [];
  layout.position.forEach((position, e) => (front.firstAt[position] ??= e));
  return front;
}

function readHeld(held) {
  const accuracy = unpacked(held.accuracy);
  const cost = unpacked(held.cost);
  const relative = cost.map((value) => value / held.baseline.cost);
  const groups = held.groups && {
    ...held.groups,
    which: unpacked(held.groups.which),
    drop: unpacked(held.groups.drop),
    error: unpacked(held.groups.error),
  };
  return {
    ...held,
    accuracy,
    cost,
    relative,
    whole: held.baseline.cost,
    drop: accuracy.map((value) => held.baseline.accuracy - value),
    order: Uint32Array.from(relative.keys()).sort((a, b) => relative[a] - relative[b]),
    disagreement: unpacked(held.disagreement),
    tail: unpackedRepeats(held.tail),
    left: unpacked(held.left),
    score: unpacked(held.score),
    final: unpacked(held.final),
    groups,
  };
}

// What things are called: of a network with exits, or of a cascade whose models are asked in an order of the point's own.
function wordsOf({ models, layout, baseline, unit, counted }) {
  const whole = `${say.cost(baseline.cost, { unit, counted })} a sample and has an accuracy of ${say.percent(baseline.accuracy)}.`;
  if (!models) {
    const positions = layout.position[layout.position.length - 1];
    return {
      last: "the final exit",
      alone: "final exit alone",
      lasts: "final exit's",
      whole: "the whole network",
      about: `${layout.names.length - 1} exits at ${positions} positions. The whole network costs ${whole}`,
      unit: "of the whole",
      single: "one exit for everybody",
      listed: "Exits in use",
      places: ["position", "exit"],
    };
  }
  const last = short(models[models.length - 1], 24);
  const names = models.map((name) => short(name, 24)).join(", ");
  return {
    last,
    alone: `${last} alone`,
    lasts: `${last}'s`,
    whole: `${last} alone`,
    about: `some of ${models.length} models, in any order (${names}). ${last} alone costs ${whole}`,
    unit: `of ${short(last, 12)}`,
    single: "one model for everybody",
    listed: "Models asked, in order",
    places: ["place", "model"],
  };
}

// The costs that no more than a share of the samples exceeds, by point.
function costWithin(front, share) {
  const { shares } = front.data;
  let k = 0;
  while (k + 1 < shares.length && shares[k + 1] <= share + 1e-9) k += 1;
  return Float64Array.from(front.cost, (_, i) => front.tail[i * shares.length + k]);
}

function figuresFor(front, name, share) {
  switch (name) {
    case "max_accuracy_drop":
      return front.drop;
    case "min_accuracy":
      return front.accuracy;
    case "max_cost":
      return front.cost;
    case "max_relative_cost":
      return front.relative;
    default:
      return costWithin(front, share);
  }
}

// Which points keep a limit, within rounding: absolute for accuracy, relative for cost.
function admitted(front, name, limit, share) {
  const kind = front.data.limits[name];
  const slack = kind.on_cost ? Math.abs(limit) * kind.rounding : kind.rounding;
  return Array.from(figuresFor(front, name, share), (figure) =>
    kind.is_most ? figure <= limit + slack : figure >= limit - slack,
  );
}

// Whether `select` takes a limit at all: numbers, but drops and accuracies that are surely meant in points.
function isLimit(name, limit) {
  if (name === "max_accuracy_drop") return Math.abs(limit) < 1;
  return Number.isFinite(limit) && !(name === "min_accuracy" && limit > 1);
}

// Index of the best point within limits: the cheapest where accuracy is limited, else the most accurate; null for none.
function select(front, asked, share) {
  const names = Object.keys(asked);
  if (!names.length || !names.every((name) => isLimit(name, asked[name]))) return null;
  const within = names.map((name) => admitted(front, name, asked[name], share));
  const key = names.every((name) => front.data.limits[name].on_cost) ? front.drop : front.relative;
  return least(key, (i) => within.every((admits) => admits[i]));
}

// Index of the least key among some points, the first of equal ones; null for none.
function least(key, among) {
  let best = null;
  for (let i = 0; i < key.length; i += 1) {
    if (among(i) && (best === null || key[i] < key[best])) best = i;
  }
  return best;
}

// The exits in use of a point, and then the final exit, each with what those pay that leave there. Of a cascade in any
// order, the models that are asked, up to the one that answers whoever is left.
function exitsOf(front, i) {
  const { layout, prices } = front.data;
  const { models } = front;
  const rows = [];
  let heads = 0;
  let ended = false;
  for (let k = front.first[i]; k < front.first[i + 1] && !ended; k += 1) {
    const e = front.exit[k];
    heads += prices.head[e];
    ended = models !== null && front.threshold[k] === -Infinity;
    rows.push({
      position: models ? rows.length : layout.position[e],
      name: layout.names[e],
      threshold: ended ? null : front.threshold[k],
      relative: (prices.backbone[layout.position[e]] + heads) / front.baseline.cost,
    });
  }
  if (!ended)
    rows.push({
      position: models ? rows.length : front.positions,
      name: layout.names[layout.names.length - 1],
      threshold: null,
      relative: (front.baseline.cost + heads) / front.baseline.cost,
    });
  const { held } = front;
  rows.forEach((row, k) => {
    if (!held) return;
    const at = front.first[i] + i + k; // one entry more a point: the final exit's
    row.share = held.left[at] / held.n_samples;
    row.accuracy = held.score[at] / held.left[at];
    row.final = held.final[at] / held.left[at];
    row.lost = (held.final[at] - held.score[at]) / held.n_samples;
  });
  return rows;
}

// The groups that lose most, the worst first.
function groupsOf(front, i) {
  const groups = front.held && front.held.groups;
  if (!groups) return [];
  return Array.from({ length: groups.kept }, (_, k) => {
    const at = i * groups.kept + k;
    const which = groups.which[at];
    const name = groups.by === "label" ? `class ${groups.names[which]}` : groups.names[which];
    return { name, n: groups.n_samples[which], drop: groups.drop[at], error: groups.error[at] };
  });
}

// The content of config.json, as ExitConfig.to_dict gives it; of the certified point as CertifiedPoint.to_dict does.
function configuration(front, i) {
  if (i === front.certified) return front.data.certificate.content;
  const { layout, config } = front.data;
  if (front.models) return ownConfiguration(front, i);
  const exits = [];
  for (let k = front.first[i]; k < front.first[i + 1]; k += 1) {
    const e = front.exit[k];
    const entry = {
      position: layout.position[e],
      candidate: e - front.firstAt[layout.position[e]],
      threshold: inJson(front.threshold[k]),
      name: layout.names[e],
    };
    if (layout.temperature) entry.temperature = layout.temperature[e];
    exits.push(entry);
  }
  return { format: config.format, version: config.version, n_positions: front.positions, exits, layout };
}

// The same of the models alone that a point asks, as OrderedPoint.config; beside a single one stands another one.
function ownConfiguration(front, i) {
  const { layout, config } = front.data;
  const rows = exitsOf(front, i);
  const asked = rows.map(({ name }) => front.models.indexOf(name));
  if (asked.length === 1) asked.push((asked[0] + 1) % front.models.length);
  const heat = layout.temperature && asked.map((m) => layout.temperature[m]);
  const names = asked.map((m) => front.models[m]);
  const exits = names.slice(0, -1).map((name, k) => ({
    position: k,
    candidate: 0,
    threshold: inJson(rows[k].threshold ?? -Infinity),
    name,
    ...(heat ? { temperature: heat[k] } : {}),
  }));
  const own = { measure: layout.measure, temperature: heat, position: [...asked.keys()], names };
  return { format: config.format, version: config.version, n_positions: exits.length, exits, layout: own };
}

// A threshold as the library writes it.
function inJson(threshold) {
  if (Number.isFinite(threshold)) return shortest32(threshold);
  return threshold > 0 ? "inf" : "-inf";
}

// JSON as the library lays it out: what holds plain values only is one line.
function laidOut(value, line = "\n") {
  const inner = value && typeof value === "object" ? Object.values(value) : [];
  if (!inner.some((entry) => entry && typeof entry === "object")) {
    if (Array.isArray(value)) return `[${value.map((entry) => JSON.stringify(entry)).join(", ")}]`;
    if (!inner.length) return JSON.stringify(value);
    return `{${Object.entries(value)
      .map(([key, entry]) => `${JSON.stringify(key)}: ${JSON.stringify(entry)}`)
      .join(", ")}}`;
  }
  if (Array.isArray(value))
    return `[${value.map((entry) => `${line} ${laidOut(entry, `${line} `)}`).join(",")}${line}]`;
  const parts = Object.entries(value).map(
    ([key, entry]) => `${line} ${JSON.stringify(key)}: ${laidOut(entry, `${line} `)}`,
  );
  return `{${parts.join(",")}${line}}`;
}

// The line of Python that gives a point: by its limits, or by its place.
function pythonLine(asked, share, i) {
  if (!asked) return `point = front[${i}]`;
  const said = Object.entries(asked).map(([name, limit]) => `${name}=${limit}`);
  if ("max_sample_cost" in asked && share !== 0.01) said.push(`share=${share}`);
  return `point = front.select(${said.join(", ")})`;
}
