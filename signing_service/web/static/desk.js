// The list by key: j k move, x choose, * choose all, Enter open, a sign the chosen.
const rows = [...document.querySelectorAll("[data-item]")];
const box = (row) => row.querySelector("input[type=checkbox]:not([disabled])");
const count = document.getElementById("count");
let current = -1;

const recount = () => {
  const chosen = rows.filter((row) => box(row) && box(row).checked).length;
  if (count) count.textContent = chosen ? `(${chosen})` : "";
};
const go = (index) => {
  if (!rows.length) return;
  if (current >= 0) rows[current].classList.remove("current");
  current = Math.max(0, Math.min(rows.length - 1, index));
  rows[current].classList.add("current");
  rows[current].querySelector("[data-open]").focus();
};
const chooseAll = () => {
  const boxes = rows.map(box).filter(Boolean);
  const all = boxes.every((each) => each.checked);
  boxes.forEach((each) => { each.checked = !all; });
  recount();
};
const acts = {
  j: () => go(current + 1),
  k: () => go(current - 1),
  x: () => { if (current >= 0 && box(rows[current])) { box(rows[current]).checked = !box(rows[current]).checked; recount(); } },
  "*": chooseAll,
  a: () => { const sign = document.getElementById("sign"); if (sign && rows.some((row) => box(row) && box(row).checked)) sign.click(); },
};
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || event.target.matches("input[type=text], textarea, select")) return;
  const act = acts[event.key];
  if (act) { event.preventDefault(); act(); }
});
document.addEventListener("change", recount);
const all = document.getElementById("choose-all");
if (all) all.addEventListener("click", chooseAll);
recount();
document.body.dataset.keys = "ready";
