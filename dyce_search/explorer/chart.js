// The picture of the trade-off: curves, marks, and limits that can be dragged.

const MARGIN = { left: 56, right: 18, top: 22, bottom: 46 };
const NEAR = 28; // pixels from a point, within which a click means it

class Chart {
  // `told` has what the picture tells: dragged(which, value), picked(index).
  constructor(place, front, told) {
    this.place = place;
    this.front = front;
    this.told = told;
    this.layers = layersOf(front);
    this.tip = document.createElement("div");
    this.tip.className = "tip";
    this.tip.hidden = true;
    this.root = svg("svg", { role: "img", class: "plot" });
    this.grips = { up: this.grip("up"), relative: this.grip("relative") };
    this.place.append(this.root, this.tip);
    this.root.addEventListener("click", (event) => this.click(event));
    this.root.addEventListener("pointermove", (event) => this.hover(event));
    this.root.addEventListener("pointerleave", () => {
      this.tip.hidden = true;
    });
  }

  // x from relative cost, and back.
  across(relative) {
    const { x } = this.view;
    return x === "cost" ? relative * this.front.baseline.cost : x === "saved" ? 100 * (1 - relative) : relative;
  }

  // Of a point of a layer; one that was measured elsewhere may have another whole to be relative to.
  costOf(layer, i) {
    const scale = this.view.x === "cost" ? (layer.whole ?? this.front.baseline.cost) / this.front.baseline.cost : 1;
    return scale * layer.relative[i];
  }

  relativeAt(x) {
    const kind = this.view.x;
    return kind === "cost" ? x / this.front.baseline.cost : kind === "saved" ? 1 - x / 100 : x;
  }

  up(drop, accuracy) {
    return 100 * (this.view.y === "drop" ? drop : accuracy);
  }

  // The part that is shown: drops up to a limit and what the front and its held-out curve cost there; or everything.
  fit() {
    const { region } = this.view;
    const main = this.layers.filter(({ key }) => (key === "front" || key === "held") && !this.view.hidden.has(key));
    const seen = main.length ? main : this.layers.slice(0, 1);
    const relative = [];
    const up = [];
    const add = (layer, most) => {
      for (let i = 0; i < layer.relative.length; i += 1) {
        if (layer.drop[i] <= most) {
          relative.push(this.costOf(layer, i));
          up.push(this.up(layer.drop[i], layer.accuracy[i]));
        }
      }
    };
    seen.forEach((layer) => add(layer, region ?? Infinity));
    if (region === null || !relative.length) {
      this.layers.filter(({ key }) => !this.view.hidden.has(key)).forEach((layer) => add(layer, Infinity));
      relative.push(0, 1);
    }
    const bases = [this.front.baseline.accuracy].concat(
      seen.some(({ key }) => key === "held") ? [this.front.held.baseline.accuracy] : [],
    );
    bases.forEach((base) => up.push(this.up(0, base)));
    if (region !== null) bases.forEach((base) => up.push(this.up(region, base - region)));
    const reach = (values, share) => {
      const low = values.reduce((a, b) => Math.min(a, b));
      const high = values.reduce((a, b) => Math.max(a, b));
      const pad = share * (high - low || Math.abs(high) || 1);
      return [low - pad, high + pad];
    };
    const [cheap, dear] = reach(relative, 0.04);
    this.xs = [this.across(cheap), this.across(dear)].sort((a, b) => a - b);
    this.ys = reach(up, 0.03);
  }

  draw(view) {
    this.view = view;
    this.width = Math.max(280, Math.floor(this.place.clientWidth));
    this.height = Math.max(300, Math.min(560, Math.round(0.64 * this.width)));
    this.fit();
    const { width, height } = this;
    this.root.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.root.setAttribute("width", width);
    this.root.setAttribute("height", height);
    const [inner, outer] = [width - MARGIN.left - MARGIN.right, height - MARGIN.top - MARGIN.bottom];
    this.px = (x) => MARGIN.left + (inner * (x - this.xs[0])) / (this.xs[1] - this.xs[0]);
    const rise = (y) => (y - this.ys[0]) / (this.ys[1] - this.ys[0]);
    this.py = (y) => MARGIN.top + outer * (view.y === "drop" ? rise(y) : 1 - rise(y)); // a small drop is up
    this.box = { x: MARGIN.left, y: MARGIN.top, width: inner, height: outer };
    const curves = svg("g", { "clip-path": "url(#explorer-clip)" });
    [...this.layers]
      .reverse()
      .filter(({ key }) => !view.hidden.has(key))
      .forEach((layer) => curves.append(...this.shape(layer)));
    this.live = svg("g", {});
    const clip = svg("clipPath", { id: "explorer-clip" }, svg("rect", this.box));
    this.root.replaceChildren(svg("defs", {}, clip), ...this.axes(), curves, this.live, ...Object.values(this.grips));
  }

  axes() {
    const { box, view } = this;
    const words = {
      relative: "relative cost",
      cost: `cost (${this.front.unit})`,
      saved: `saved of ${this.front.words.whole} (%)`,
      drop: "accuracy drop (points)",
      accuracy: "accuracy (%)",
    };
    const [bottom, right] = [box.y + box.height, box.x + box.width];
    const parts = [svg("rect", { ...box, class: "frame" })];
    const across = ticks(...this.xs, box.width / 90);
    const counted = view.x === "cost" && this.front.counted;
    across.found.forEach((x) => {
      const text = counted
        ? say.cost(x, { unit: "", counted }).trim()
        : view.x === "cost"
          ? say.significant(x)
          : say.number(x, across.decimals);
      parts.push(svg("line", { x1: this.px(x), x2: this.px(x), y1: box.y, y2: bottom, class: "grid" }));
      parts.push(svg("text", { x: this.px(x), y: bottom + 17, class: "tick middle" }, text));
    });
    const upwards = ticks(...this.ys, box.height / 48);
    upwards.found.forEach((y) => {
      parts.push(svg("line", { x1: box.x, x2: right, y1: this.py(y), y2: this.py(y), class: "grid" }));
      parts.push(svg("text", { x: box.x - 7, y: this.py(y) + 4, class: "tick end" }, say.number(y, upwards.decimals)));
    });
    parts.push(svg("text", { x: box.x + box.width / 2, y: this.height - 7, class: "title middle" }, words[view.x]));
    const middle = box.y + box.height / 2;
    parts.push(
      svg("text", { x: 14, y: middle, class: "title middle", transform: `rotate(-90 14 ${middle})` }, words[view.y]),
    );
    if (!view.hidden.has("final")) parts.push(...this.baseline());
    return parts;
  }

  // The level of the final exit alone, and where it is if it stands outside.
  baseline() {
    const { box } = this;
    const y = this.py(this.up(0, this.front.baseline.accuracy));
    if (y < box.y || y > box.y + box.height) return [];
    const parts = [svg("line", { x1: box.x, x2: box.x + box.width, y1: y, y2: y, class: "base" })];
    const x = this.across(1);
    if (x > this.xs[1]) {
      parts.push(
        svg(
          "text",
          { x: box.x + box.width, y: box.y - 6, class: "note end" },
          `${this.front.words.alone}: dotted, relative cost 1 \u2192`,
        ),
      );
    } else if (x < this.xs[0]) {
      parts.push(
        svg(
          "text",
          { x: box.x, y: box.y - 6, class: "note" },
          `\u2190 ${this.front.words.alone}: dotted, relative cost 1`,
        ),
      );
    }
    return parts;
  }

  spot(layer, i) {
    return [this.px(this.across(this.costOf(layer, i))), this.py(this.up(layer.drop[i], layer.accuracy[i]))];
  }

  shape(layer) {
    const spots = Array.from(layer.relative, (_, i) => this.spot(layer, i));
    const look = `look-${layer.look}`;
    const step =
      layer.kind === "stairs"
        ? ([x, y]) => `H${x.toFixed(1)}V${y.toFixed(1)}`
        : ([x, y]) => `L${x.toFixed(1)} ${y.toFixed(1)}`;
    const [first, ...rest] = spots;
    if (!first) return [];
    if (layer.kind === "stairs" || layer.kind === "line") {
      const d = `M${first[0].toFixed(1)} ${first[1].toFixed(1)}${rest.map(step).join("")}`;
      const parts = [
        svg("path", {
          d,
          class: `curve ${layer.kind} ${look}${layer.dashed ? " dashed" : ""}${layer.key === "front" ? " own" : ""}`,
        }),
      ];
      const inside = spots.filter(
        ([x, y]) =>
          x >= this.box.x && x <= this.box.x + this.box.width && y >= this.box.y && y <= this.box.y + this.box.height,
      );
      if (layer.kind === "stairs" && inside.length <= 60)
        parts.push(...inside.map(([cx, cy]) => svg("circle", { cx, cy, r: 2.6, class: `dot ${look}` })));
      return parts;
    }
    return spots.map(([x, y]) => svg("path", { d: markAt(layer.kind, x, y), class: `mark ${layer.kind} ${look}` }));
  }

  // Limits, the selected point and the pinned ones: what moves.
  mark({ limits, index, pins }) {
    const { box } = this;
    const parts = [];
    const [right, bottom] = [box.x + box.width, box.y + box.height];
    Object.entries(this.grips).forEach(([which, grip]) => grip.classList.toggle("gone", limits[which] === null));
    if (limits.up !== null) {
      const y = Math.max(box.y, Math.min(bottom, this.py(limits.up)));
      parts.push(svg("rect", { x: box.x, y, width: box.width, height: bottom - y, class: "beyond" }));
      parts.push(svg("line", { x1: box.x, x2: right, y1: y, y2: y, class: "limit" }));
      this.moveGrip("up", right - 12, y);
    }
    if (limits.relative !== null) {
      const x = Math.max(box.x, Math.min(right, this.px(this.across(limits.relative))));
      const flipped = this.view.x === "saved";
      parts.push(
        svg("rect", {
          x: flipped ? box.x : x,
          y: box.y,
          width: flipped ? x - box.x : right - x,
          height: box.height,
          class: "beyond",
        }),
      );
      parts.push(svg("line", { x1: x, x2: x, y1: box.y, y2: bottom, class: "limit" }));
      this.moveGrip("relative", x, bottom - 12);
    }
    const own = this.layers[0];
    pins.forEach((i, k) => i !== null && parts.push(...this.labelled(own, i, "AB"[k])));
    if (index !== null) {
      const [x, y] = this.spot(own, index);
      const held = this.layers.find(({ key }) => key === "held");
      if (held && !this.view.hidden.has("held")) {
        const there = this.spot(this.front.held, index);
        if (this.holds(...there))
          parts.push(
            svg("line", { x1: x, y1: y, x2: there[0], y2: there[1], class: "tie" }),
            svg("circle", { cx: there[0], cy: there[1], r: 5, class: "delivered" }),
          );
      }
      if (this.holds(x, y))
        parts.push(
          svg("circle", { cx: x, cy: y, r: 8, class: "selected" }),
          svg("circle", { cx: x, cy: y, r: 2.5, class: "kernel" }),
        );
      else
        parts.push(
          svg("text", { x: box.x + 8, y: bottom - 10, class: "note" }, "the selected point is outside of this view"),
        );
    }
    this.live.replaceChildren(...parts);
  }

  // What the picture shows, for those who do not see it.
  inWords() {
    const across = { relative: "relative cost", cost: "cost", saved: "saved share" }[this.view.x];
    const upwards = this.view.y === "drop" ? "Accuracy drop" : "Accuracy";
    const seen = this.layers.filter(({ key }) => !this.view.hidden.has(key)).map(({ name }) => name);
    return `${upwards} against ${across}: ${seen.join(", ")}. The limits beside it choose a point.`;
  }

  holds(x, y) {
    const { box } = this;
    return x >= box.x - 1 && x <= box.x + box.width + 1 && y >= box.y - 1 && y <= box.y + box.height + 1;
  }

  labelled(layer, i, text) {
    const [x, y] = this.spot(layer, i);
    if (!this.holds(x, y)) return [];
    return [
      svg("circle", { cx: x, cy: y, r: 9, class: "pin" }),
      svg("text", { x, y: y + 4, class: "pinned middle" }, text),
    ];
  }

  // A grip on a limit, for mouse, pen and finger; the sliders beside the picture do the same for the keyboard. It stays
  // in its place in the document while it is dragged: a finger loses what is taken away.
  grip(which) {
    const grip = svg(
      "g",
      { class: `grip ${which}`, "aria-hidden": "true" },
      svg("title", {}, "drag the limit"),
      svg("circle", { r: 20, class: "reach" }),
      svg("circle", { r: 7, class: "knob" }),
    );
    const valueOf = (event) => {
      const { x, y } = this.valueAt(event);
      return which === "up" ? y : this.relativeAt(x);
    };
    // the page stays where it is
    grip.addEventListener("touchstart", (event) => event.preventDefault(), { passive: false });
    grip.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      const move = (moved) => this.told.dragged(which, valueOf(moved));
      const stop = () => {
        window.removeEventListener("pointermove", move);
        window.removeEventListener("pointerup", stop);
        window.removeEventListener("pointercancel", stop);
        this.dragging = false;
      };
      this.dragging = true;
      this.tip.hidden = true;
      window.addEventListener("pointermove", move);
      window.addEventListener("pointerup", stop);
      window.addEventListener("pointercancel", stop);
    });
    grip.addEventListener("click", (event) => event.stopPropagation());
    return grip;
  }

  moveGrip(which, cx, cy) {
    this.grips[which].querySelectorAll("circle").forEach((circle) => {
      circle.setAttribute("cx", cx);
      circle.setAttribute("cy", cy);
    });
  }

  valueAt(event) {
    const frame = this.root.getBoundingClientRect();
    const share = (event.clientX - frame.left - this.box.x) / this.box.width;
    const down = Math.max(0, Math.min(1, (event.clientY - frame.top - this.box.y) / this.box.height));
    const x = this.xs[0] + Math.max(0, Math.min(1, share)) * (this.xs[1] - this.xs[0]);
    return { x, y: this.ys[0] + (this.view.y === "drop" ? down : 1 - down) * (this.ys[1] - this.ys[0]) };
  }

  nearest(event) {
    const frame = this.root.getBoundingClientRect();
    const [x, y] = [event.clientX - frame.left, event.clientY - frame.top];
    let best = { distance: NEAR, index: null };
    for (let i = 0; i < this.front.length; i += 1) {
      const [a, b] = this.spot(this.layers[0], i);
      const distance = Math.hypot(a - x, b - y);
      if (distance < best.distance) best = { distance, index: i, x: a, y: b };
    }
    return best;
  }

  click(event) {
    const { index } = this.nearest(event);
    if (index !== null) this.told.picked(index);
  }

  hover(event) {
    if (this.dragging || event.pointerType === "touch") return;
    const { index, x, y } = this.nearest(event);
    this.tip.hidden = index === null;
    if (index === null) return;
    this.tip.textContent = `drop ${say.at(this.front, index)}`;
    this.tip.style.left = `${Math.min(x + 12, this.width - 190)}px`;
    this.tip.style.top = `${Math.max(0, y - 40)}px`;
  }
}
