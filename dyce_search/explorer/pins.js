// Two points side by side.

function pinsPanel(front, pins, { drop, show }) {
  const kept = pins.map((i, k) => ({ i, k, name: "AB"[k] })).filter(({ i }) => i !== null);
  if (!kept.length)
    return [
      html(
        "p",
        { class: "quiet" },
        "Pin the selected point, then choose another one: their figures and what they use stand side by side.",
      ),
    ];
  const two = kept.length === 2;
  const rows = compared(front, kept);
  const parts = [
    tableOf("pinned points", ["", ...kept.map(({ name }) => name), ...(two ? [`B ${MINUS} A`] : [])], rows, {
      folds: true,
    }),
  ];
  parts.push(
    html(
      "div",
      { class: "pair" },
      ...kept.map(({ i, k, name }) => {
        const buttons = [
          ["Select", () => show(i)],
          ["Unpin", () => drop(k)],
        ].map(([word, act]) => {
          const button = html("button", { type: "button", "aria-label": `${word} pinned point ${name}` }, word);
          button.addEventListener("click", act);
          return button;
        });
        const card = html(
          "div",
          { class: "pinned-card" },
          html(
            "h3",
            {},
            html("span", { class: "badge" }, name),
            ` ${say.points(front.drop[i])} at ${say.relative(front.relative[i])} `,
            ...buttons,
          ),
        );
        card.dataset.index = i;
        return card;
      }),
    ),
  );
  return parts;
}

// Rows of the table: every figure of both, and their difference where it is a number of the same kind.
function compared(front, kept) {
  const sides = [
    ["promised", front],
    ...(front.held ? [[front.held.is_searched ? "observed" : "delivered", front.held]] : []),
  ];
  const kinds = [
    ["accuracy drop", (on, i) => on.drop[i], say.points, say.gap],
    [
      "relative cost",
      (on, i) => on.relative[i],
      say.relative,
      (value) => `${value > 0 ? "+" : ""}${say.relative(value)}`,
    ],
  ];
  const rows = kinds.flatMap(([name, of, show, gap]) =>
    sides.map(([side, on]) => {
      const values = kept.map(({ i }) => of(on, i));
      return [`${name}, ${side}`, ...values.map(show), ...(values.length === 2 ? [gap(values[1] - values[0])] : [])];
    }),
  );
  if (front.models)
    rows.push(["models asked", ...kept.map(({ i }) => usedIn(front, i)), ...(kept.length === 2 ? [""] : [])]);
  else {
    const counts = kept.map(({ i }) => front.first[i + 1] - front.first[i]);
    rows.push([
      "exits in use",
      ...counts.map(String),
      ...(counts.length === 2 ? [signed(`${counts[1] > counts[0] ? "+" : ""}${counts[1] - counts[0]}`)] : []),
    ]);
  }
  if (front.held && front.held.groups) {
    const worst = kept.map(({ i }) => groupsOf(front, i)[0]);
    rows.push(["loses most", ...worst.map(({ name }) => name), ...(worst.length === 2 ? [""] : [])]);
    rows.push([
      "its drop, delivered",
      ...worst.map(({ drop }) => say.gap(drop)),
      ...(worst.length === 2 ? [say.gap(worst[1].drop - worst[0].drop)] : []),
    ]);
  }
  return rows;
}

// The bars or, without held-out samples, the exits of each pinned point, drawn as wide as their cards are.
function fillPins(front, panel) {
  panel.querySelectorAll(".pinned-card").forEach((card) => {
    const i = Number(card.dataset.index);
    card.querySelectorAll(".bars, .scroll").forEach((old) => old.remove());
    card.append(front.held ? barsOf(front, i, Math.max(240, card.clientWidth)) : exitsTable(front, i));
  });
}
