// The controls: limits in, a point out. Everything that is shown follows from `state`.

const REGIONS = [0.01, 0.02, 0.05, 0.1, 0.2];

class Explorer {
  constructor(root, front) {
    this.root = root;
    this.front = front;
    this.part = (name) => root.querySelector(`[data-part="${name}"]`);
    this.act = (name) => root.querySelector(`[data-act="${name}"]`);
    const { drop_limit: region } = front.data.start;
    this.state = { picked: null, pins: [null, null], view: { x: "relative", y: "drop", region, hidden: new Set() } };
    root.hidden = false;
    this.words();
    this.rows = {};
    ["accuracy", "cost", "sample"].forEach((name) => {
      this.rows[name] = new LimitRow(root, name, front, () => this.changed());
    });
    this.begin();
    this.chart = new Chart(this.part("chart"), front, {
      dragged: (which, value) => this.dragged(which, value),
      picked: (i) => this.show(i),
    });
    this.viewControls();
    this.actions();
    new ResizeObserver(
      () => this.chart.width !== Math.max(280, Math.floor(this.chart.place.clientWidth)) && this.redraw(),
    ).observe(this.chart.place);
    this.redraw();
    if (front.data.start.at_certified) this.show(front.certified);
  }

  // What stays as it is.
  words() {
    const { data, held, words, models } = this.front;
    this.part("about").textContent = aboutOf(this.front);
    if (held && held.is_searched) {
      this.part("alert").hidden = false;
      this.part("alert").textContent =
        "The figures are optimistic: the configurations were measured on the samples that they were searched on. " +
        "Other samples give honest ones.";
    }
    if (data.certificate) {
      this.part("certificate").hidden = false;
      this.part("certificate").querySelector("pre").textContent = data.certificate.lines.join("\n");
      this.act("certified").hidden = false;
    }
    this.part("meaning").textContent = meaningOf(this.front);
    this.part("would").textContent = `${words.last} would be right, on the same samples`;
    this.part("listed").textContent = words.listed;
    if (models) this.part("leaving-title").textContent = "Which model answers";
    if (!held) this.bare();
    this.part("groups-card").hidden = !(held && held.groups);
    this.root.querySelector('[data-limit="sample"]').hidden = !this.front.tail;
  }

  // Without held-out samples nobody knows who leaves where: the exits take that place.
  bare() {
    const card = this.part("leaving");
    this.part("exits").parentElement.hidden = true;
    card.querySelector("h2").textContent = this.front.words.listed;
    card.querySelector(".key").hidden = true;
    card.append(this.part("exits"));
  }

  // The limits to begin with: the drop that was asked for, or the least that there is.
  begin() {
    const { front, rows } = this;
    const share = rows.sample.shareField;
    front.data.shares.forEach((value) =>
      share.append(html("option", { value }, value ? `${say.significant(100 * value)} %` : "none")),
    );
    share.value = "0.01";
    rows.cost.reset();
    if (front.tail) rows.sample.reset();
    const asked = front.data.start.max_accuracy_drop;
    const best = front.drop.reduce((a, b) => Math.min(a, b));
    rows.accuracy.exactly(best <= asked ? asked : Math.ceil(1e4 * best) / 1e4);
  }

  viewControls() {
    const { view } = this.state;
    const choice = (name) => this.root.querySelector(`[data-view="${name}"]`);
    const regions = [...new Set([...REGIONS, view.region])].sort((a, b) => a - b);
    regions.forEach((region) =>
      choice("region").append(
        html("option", { value: region }, `${say.significant(100 * region)} ${region === 0.01 ? "point" : "points"}`),
      ),
    );
    choice("region").append(html("option", { value: "all" }, "any"));
    choice("region").value = String(view.region);
    ["x", "y", "region"].forEach((name) =>
      choice(name).addEventListener("change", (event) => {
        const { value } = event.target;
        view[name] = name !== "region" ? value : value === "all" ? null : Number(value);
        this.redraw();
      }),
    );
    this.chart.layers.forEach(({ key, name, look, kind, dashed }) => {
      const box = html("input", { type: "checkbox", checked: "" });
      box.addEventListener("change", () => {
        view.hidden[box.checked ? "delete" : "add"](key);
        this.redraw();
      });
      const sample = svg(
        "svg",
        { width: 26, height: 16, "aria-hidden": "true" },
        kind === "stairs" || kind === "line"
          ? svg("path", { d: "M1 8H25", class: `curve ${kind} look-${look}${dashed ? " dashed" : ""}` })
          : svg("path", { d: markAt(kind, 13, 8), class: `mark ${kind} look-${look}` }),
      );
      this.part("layers").append(html("label", {}, box, sample, html("span", {}, name)));
    });
  }

  actions() {
    const { state } = this;
    const on = (name, act) => this.act(name).addEventListener("click", act);
    on("cheaper", () => this.step(-1));
    on("dearer", () => this.step(1));
    on("certified", () => this.show(this.front.certified));
    on("pin", () => {
      const free = state.pins.indexOf(null);
      state.pins[free < 0 ? 1 : free] = this.index;
      this.changed(state.picked);
    });
    on("theme", () => {
      document.documentElement.dataset.theme = this.isDark() ? "light" : "dark";
      this.themeWord();
    });
    on("copy-config", () => this.copy(this.part("config").value, "config.json copied"));
    on("copy-line", () => this.copy(this.part("python").textContent, "line copied"));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.themeWord());
    this.themeWord();
  }

  isDark() {
    const { theme } = document.documentElement.dataset;
    return theme ? theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  }

  themeWord() {
    this.act("theme").textContent = this.isDark() ? "Light colours" : "Dark colours";
  }

  async copy(text, done) {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const area = html("textarea", {}, text); // where a page from disk may not use the clipboard
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
    this.part("copied").textContent = done;
    setTimeout(() => {
      this.part("copied").textContent = "";
    }, 2500);
  }

  // The limits that are on, as `select` takes them.
  asked() {
    return Object.fromEntries(
      Object.values(this.rows)
        .filter((row) => row.on.checked && !row.root.hidden)
        .map((row) => [row.kind, row.value]),
    );
  }

  chosen() {
    return select(this.front, this.asked(), this.rows.sample.share);
  }

  // Sets the limits so that they give a point: with the others as they are, or else off; else the point by its place.
  show(i) {
    const { accuracy, cost, sample } = this.rows;
    const row = accuracy.on.checked || !cost.on.checked ? accuracy : cost;
    row.on.checked = true;
    const figure = figuresFor(this.front, row.kind, row.share)[i];
    row.exactly(figure);
    if (this.chosen() !== i)
      [accuracy, cost, sample].forEach((other) => {
        if (other !== row) other.on.checked = false;
      });
    row.shortly(figure, () => this.chosen() === i);
    this.changed(this.chosen() === i ? null : i);
  }

  // The next point that is cheaper, or more accurate.
  step(way) {
    const { drop, relative } = this.front;
    const now = this.index;
    if (now === null) return;
    const next =
      way < 0
        ? least(drop, (i) => relative[i] < relative[now])
        : least(relative, (i) => relative[i] > relative[now] && drop[i] < drop[now] - 2e-12);
    if (next !== null) this.show(next);
  }

  dragged(which, value) {
    const { accuracy, cost } = this.rows;
    const row = which === "up" ? accuracy : cost;
    if (which === "up") {
      const drops = this.state.view.y === "drop";
      const same = drops === (row.kind === "max_accuracy_drop");
      row.near(same ? value : 100 * this.front.baseline.accuracy - value);
    } else {
      row.near(row.kind === "max_cost" ? value * this.front.baseline.cost : value);
    }
    this.changed();
  }

  // Where limits stand in the picture.
  lines() {
    const { accuracy, cost } = this.rows;
    const base = this.front.baseline;
    const lines = { up: null, relative: null };
    if (accuracy.on.checked && Number.isFinite(accuracy.value)) {
      const drop = accuracy.kind === "max_accuracy_drop" ? accuracy.value : base.accuracy - accuracy.value;
      lines.up = this.chart.up(drop, base.accuracy - drop);
    }
    if (cost.on.checked && Number.isFinite(cost.value))
      lines.relative = cost.kind === "max_cost" ? cost.value / base.cost : cost.value;
    return lines;
  }

  redraw() {
    this.chart.draw(this.state.view);
    this.changed(this.state.picked);
    this.chart.root.setAttribute("aria-label", this.chart.inWords());
  }

  // Limits have changed, or a point was taken by its place: everything follows.
  changed(picked = null) {
    const { front, state } = this;
    const chosen = this.chosen();
    state.picked = picked;
    this.index = picked ?? chosen;
    this.root.dataset.index = this.index ?? "";
    Object.values(this.rows).forEach(
      (row) => !row.root.hidden && row.show(row === this.rows.accuracy ? state.view.region : null),
    );
    this.chart.mark({ limits: this.lines(), index: this.index, pins: state.pins });
    const words = this.index === null ? this.whyNone() : inWords(front, this.index);
    this.part("headline").textContent = words;
    this.part("headline").classList.toggle("none", this.index === null);
    clearTimeout(this.later);
    this.later = setTimeout(() => {
      this.part("spoken").textContent = words;
    }, 400);
    this.panels();
    const pinned = `${state.pins} ${this.chart.width}`;
    if (this.pinned !== pinned) this.showPins();
    this.pinned = pinned;
  }

  whyNone() {
    const asked = this.asked();
    const wrong = Object.values(this.rows).find(
      (row) => row.on.checked && !row.root.hidden && !isLimit(row.kind, row.value),
    );
    if (wrong) return wrong.whyNot();
    if (!Object.keys(asked).length) return "No limit is set: tick one of the three.";
    return beyondReach(this.front);
  }

  panels() {
    const { front, index } = this;
    const none = index === null;
    ["figures", "bars", "exits", "groups"].forEach((name) => this.part(name).replaceChildren());
    this.part("gap").textContent = none ? "" : gapInWords(front, index);
    ["pin", "cheaper", "dearer", "copy-config", "copy-line"].forEach((name) => {
      this.act(name).disabled = none;
    });
    this.root.querySelector(".take").classList.toggle("none", none);
    if (none) {
      this.part("config").value = "";
      this.part("python").textContent = "";
      this.part("download").removeAttribute("href");
      return;
    }
    this.part("figures").append(figuresTable(front, index));
    this.part("exits").append(exitsTable(front, index));
    if (front.held)
      this.part("bars").append(barsOf(front, index, Math.max(260, Math.floor(this.part("bars").clientWidth))));
    if (front.held && front.held.groups) {
      this.part("groups").append(groupsPanel(front, index));
      this.part("groups-words").textContent = groupsInWords(front, index);
    }
    const text = `${laidOut(configuration(front, index))}\n`;
    this.part("config").value = text;
    this.part("download").href = `data:application/json;charset=utf-8,${encodeURIComponent(text)}`;
    this.part("python").textContent = pythonLine(
      this.state.picked === null ? this.asked() : null,
      this.rows.sample.share,
      index,
    );
  }

  showPins() {
    const { front, state } = this;
    const place = this.part("pins");
    place.replaceChildren(
      ...pinsPanel(front, state.pins, {
        show: (i) => this.show(i),
        drop: (k) => {
          state.pins[k] = null;
          this.changed(state.picked);
          this.act("pin").focus();
        },
      }),
    );
    fillPins(front, place);
  }
}

const place = document.querySelector(".explorer");
document.documentElement.classList.add("explorer-runs");
new Explorer(place, readFront(JSON.parse(document.getElementById("explorer-data").textContent)));
