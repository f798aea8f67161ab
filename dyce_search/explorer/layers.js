// What can be drawn: layers with their looks, marks, and round numbers for axes.

const SVG = "http://www.w3.org/2000/svg";

function svg(tag, attributes = {}, ...children) {
  const node = document.createElementNS(SVG, tag);
  Object.entries(attributes).forEach(([name, value]) => node.setAttribute(name, value));
  node.append(...children);
  return node;
}

// Round numbers that part an interval into about `count` pieces, and how many decimals they need.
function ticks(low, high, count) {
  const rough = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 2.5, 5].find((factor) => factor * power >= rough) || 10);
  let decimals = 0;
  while (decimals < 12 && Math.abs(step * 10 ** decimals - Math.round(step * 10 ** decimals)) > 1e-6) decimals += 1;
  const found = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; k += 1) found.push(k * step);
  return { found, decimals };
}

// What can be shown or hidden, in the order in which it is drawn from the top.
function layersOf(front) {
  const { data, held } = front;
  const layers = [
    {
      key: "front",
      name: "front",
      look: "0",
      kind: "stairs",
      relative: front.relative,
      drop: front.drop,
      accuracy: front.accuracy,
    },
  ];
  layers[0].name = `front, ${data.scores}`;
  if (held) {
    const sorted = (values) => Array.from(held.order, (i) => values[i]);
    const name = held.is_searched ? "as observed where searched" : "held-out, observed";
    layers.push({
      key: "held",
      name,
      look: "1",
      kind: "line",
      relative: sorted(held.relative),
      whole: held.whole,
      drop: sorted(held.drop),
      accuracy: sorted(held.accuracy),
    });
  }
  data.others.forEach((other, k) => {
    const accuracy = unpacked(other.accuracy);
    const name = other.scores === data.scores ? other.name : `${other.name}, ${other.scores}`;
    layers.push({
      key: `other${k}`,
      name,
      look: String(2 + (k % 4)),
      dashed: k >= 4,
      kind: "stairs",
      relative: unpacked(other.relative_cost),
      whole: other.whole,
      drop: accuracy.map((value) => other.baseline - value),
      accuracy,
    });
  });
  const single = {
    relative: data.single.cost.map((cost) => cost / data.baseline.cost),
    accuracy: data.single.accuracy,
  };
  layers.push({
    ...single,
    key: "single",
    name: front.words.single,
    look: "grey",
    kind: "crosses",
    drop: single.accuracy.map((value) => data.baseline.accuracy - value),
  });
  if (front.certified !== null) {
    const at = (values) => [values[front.certified]];
    layers.push({
      key: "certified",
      name: "certified point",
      look: "3",
      kind: "diamond",
      relative: at(front.relative),
      drop: at(front.drop),
      accuracy: at(front.accuracy),
    });
  }
  layers.push({
    key: "final",
    name: front.words.alone,
    look: "ink",
    kind: "square",
    relative: [1],
    drop: [0],
    accuracy: [data.baseline.accuracy],
  });
  return layers;
}

// The outline of a mark in its place.
function markAt(kind, x, y) {
  if (kind === "crosses") return `M${x - 3.5} ${y - 3.5}l7 7m0 -7l-7 7`;
  if (kind === "diamond") return `M${x} ${y - 8}l6.5 8l-6.5 8l-6.5 -8z`;
  return `M${x - 5} ${y - 5}h10v10h-10z`;
}
