// The states of a frozen list, until every document is through.
const summary = document.getElementById("summary");
const classes = { completed: "passed", refused: "failed" };
const show = (row) => {
  const cell = document.getElementById(`job-${row.job}`);
  cell.className = classes[row.state] || "";
  cell.textContent = row.words;
  if (row.reason) {
    const reason = document.createElement("span");
    reason.className = "small";
    reason.textContent = row.reason;
    cell.append(document.createElement("br"), reason);
  }
};
const ask = async () => {
  const reply = await fetch(`/desk/batches/${summary.dataset.batch}/state`, { headers: { accept: "application/json" } }).catch(() => null);
  if (reply && reply.ok) {
    const state = await reply.json();
    state.rows.forEach(show);
    summary.textContent = `${state.open ? summary.dataset.words : summary.dataset.all} ${state.completed} / ${state.total}`;
    if (!state.open) { document.getElementById("back").focus(); return; }
  }
  setTimeout(ask, 1000);
};
ask();
