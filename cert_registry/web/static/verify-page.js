// The verify page with scripts: drop a file, scan a code live. Without them the forms do the same.
import { Refusal, payloadOf } from "./paper-code.js";

const byId = (id) => document.getElementById(id);
const prefix = byId("scan").dataset.prefix;

const drop = byId("drop");
drop.classList.add("drop");
for (const name of ["dragenter", "dragover"]) {
  drop.addEventListener(name, (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
}
drop.addEventListener("dragleave", () => drop.classList.remove("over"));
drop.addEventListener("drop", (event) => {
  event.preventDefault();
  drop.classList.remove("over");
  if (!event.dataTransfer.files.length) return;
  byId("file").files = event.dataTransfer.files;
  drop.requestSubmit();
});

// Live scanning. Where the browser has no detector, stills go to the server, which knows the code's form anyway.
const STILL_EVERY_MS = 3000, LOOK_EVERY_MS = 250;
let stream = null;

async function detector() {
  if (!("BarcodeDetector" in window)) return null;
  const formats = await window.BarcodeDetector.getSupportedFormats().catch(() => []);
  return formats.includes("qr_code") ? new window.BarcodeDetector({ formats: ["qr_code"] }) : null;
}

function close() {
  if (stream) stream.getTracks().forEach((track) => track.stop());
  stream = null;
  byId("viewer").hidden = true;
}

// Only our own prefix opens a page; any other address is shown as text, never followed.
function take(text) {
  try {
    const payload = payloadOf(text, prefix);
    close();
    location.assign(`/c/${payload}`);
    return true;
  } catch (failure) {
    if (!(failure instanceof Refusal)) throw failure;
    byId("told").textContent = byId("scan").dataset.wrong + (failure.detail || text.slice(0, 60));
    return false;
  }
}

async function still(video) {
  const canvas = document.createElement("canvas");
  canvas.width = video.videoWidth;
  canvas.height = video.videoHeight;
  canvas.getContext("2d").drawImage(video, 0, 0);
  const blob = await new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.9));
  const body = new FormData();
  body.append("picture", blob, "still.jpg");
  const reply = await fetch("/v/read", { method: "POST", body, headers: { accept: "application/json" } }).catch(() => null);
  return reply && reply.ok ? (await reply.json()).texts : [];
}

async function look(video, local) {
  while (stream) {
    const texts = local ? (await local.detect(video)).map((found) => found.rawValue) : await still(video);
    if (texts.some(take)) return;
    await new Promise((done) => setTimeout(done, local ? LOOK_EVERY_MS : STILL_EVERY_MS));
  }
}

async function scan() {
  const video = byId("video");
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment", width: { ideal: 1920 } } });
  } catch (failure) {
    byId("told").textContent = byId("scan").dataset.denied;
    return;
  }
  byId("viewer").hidden = false;
  video.srcObject = stream;
  await video.play();
  await look(video, await detector());
}

if (navigator.mediaDevices && navigator.mediaDevices.getUserMedia) byId("live").hidden = false;
byId("camera").addEventListener("click", scan);
byId("stop").addEventListener("click", close);
