"use strict";
{
  const form = document.querySelector(".filters");
  const table = document.querySelector(".statements");
  const rows = [...table.tBodies];
  const text = new Map(rows.map((row) => [row, row.textContent.toLowerCase()]));
  const value = (name) => document.getElementById("f-" + name).value;
  const order = { evidence: ["contradicted", "supported", "inconclusive", "not judged"] };
  const rank = (row, key) => (order[key] ? order[key].indexOf(row.dataset[key]) : row.dataset[key].toLowerCase());

  const update = () => {
    const wanted = value("text").toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      const keys = ["report", "task", "evidence", "fidelity"];
      row.hidden =
        keys.some((key) => value(key) && row.dataset[key] !== value(key)) ||
        wanted.some((word) => !text.get(row).includes(word));
      shown += !row.hidden;
    }
    document.getElementById("f-count").textContent = shown + " of " + rows.length;
    const key = value("sort");
    const sorted = [...rows];
    if (key) sorted.sort((a, b) => (rank(a, key) < rank(b, key) ? -1 : rank(a, key) > rank(b, key) ? 1 : 0));
    table.append(...sorted);
  };
  // Browsers that do not open <details> for a link into it are helped.
  const open = () => {
    const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    const closed = target && target.closest("details:not([open])");
    if (closed) {
      closed.open = true;
      target.scrollIntoView();
    }
  };
  form.hidden = false;
  form.addEventListener("input", update);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(update));
  addEventListener("hashchange", open);
  update();
  open();
}
