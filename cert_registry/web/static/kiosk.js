// Nobody is there any more: the page wipes itself, and the visit ends on the server.
const IDLE_MS = Number(new URLSearchParams(location.search).get("idle")) || 60000;
let timer = 0;

function again() {
  clearTimeout(timer);
  timer = setTimeout(wipe, IDLE_MS);
}

function wipe() {
  document.querySelectorAll("form").forEach((form) => form.reset());
  document.querySelector("main").textContent = "";
  location.replace("/kiosk/idle");
}

for (const name of ["pointerdown", "keydown", "input", "scroll"]) addEventListener(name, again, { passive: true });
addEventListener("pageshow", (event) => { if (event.persisted) wipe(); });
again();
