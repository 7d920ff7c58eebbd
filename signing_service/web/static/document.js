// One document by key: n p next and previous, a sign, r return. Seeing the end of the last page marks it as read.
const click = (selector) => { const found = document.querySelector(selector); if (found) found.click(); return Boolean(found); };
const acts = {
  n: () => click("#after"),
  p: () => click("#before"),
  a: () => click("#approve button"),
  r: () => { const box = document.getElementById("returning"); if (box) { box.open = true; document.getElementById("reason").focus(); } },
};
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || event.target.matches("input, textarea, select")) return;
  const act = acts[event.key];
  if (act) { event.preventDefault(); act(); }
});

const pages = document.getElementById("pages");
const end = document.getElementById("end");
const markRead = async () => {
  const reply = await fetch(`/desk/documents/${pages.dataset.reference}/read`, { method: "POST", headers: { accept: "application/json" } });
  if (!reply.ok) return;
  document.getElementById("read").textContent = document.documentElement.lang === "en" ? "read" : "已读";
  const button = document.getElementById("mark-read");
  if (button) button.closest("form").remove();
};
if (pages.dataset.read === "no" && pages.dataset.canSign === "yes" && "IntersectionObserver" in window) {
  const watch = new IntersectionObserver((seen) => {
    if (seen.some((each) => each.isIntersecting)) { watch.disconnect(); markRead(); }
  });
  watch.observe(end);
}
document.body.dataset.keys = "ready";
