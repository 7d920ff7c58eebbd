// The code page: checks the code on this device, shows what it says, then asks for live status.
import { Refusal, readPayload } from "./paper-code.js";

const SIGNS = { passed: "✔", unsure: "!", failed: "✖" };
const FORGED = ["code_bad_signature", "code_key_not_in_force", "code_expired"];
const byId = (id) => document.getElementById(id);
const words = JSON.parse(byId("words").textContent)[byId("code").dataset.language];

function showVerdict(colour, word, sentence, advice, reason) {
  byId("verdict").innerHTML = "";
  const sign = document.createElement("span");
  sign.className = `sign ${colour}`;
  sign.setAttribute("aria-hidden", "true");
  sign.textContent = SIGNS[colour];
  byId("verdict").append(sign, ` ${word}`);
  byId("notice").className = `notice ${colour}`;
  byId("sentence").textContent = sentence;
  byId("advice").textContent = advice || "";
  byId("reason").textContent = reason;
  document.documentElement.dataset.verdict = colour;
}

function showRefusal(code, detail) {
  const told = words.refusals[code] || words.refusals.code_malformed;
  const colour = FORGED.includes(code) ? "failed" : "unsure";
  showVerdict(colour, words.words[colour], detail ? `${told.what} ${detail}` : told.what, told.advice, code);
}

function fill(list, entries) {
  list.innerHTML = "";
  for (const [label, value] of entries) {
    const dt = document.createElement("dt"), dd = document.createElement("dd");
    dt.textContent = label;
    dd.textContent = value;
    list.append(dt, dd);
  }
}

function showFields(claims, keys) {
  const shown = {
    kind: words.kinds[claims.kind], type: words.types[claims.type] || claims.type, subject: claims.subject, dated: claims.dated,
    issued_at: claims.issued_at.toLocaleString(), expires_at: claims.expires_at && claims.expires_at.toLocaleString(),
    copy_serial: claims.copy_serial, keys_of: new Date(keys.published_at).toLocaleString(),
  };
  fill(byId("fields"), Object.keys(shown).filter((name) => shown[name]).map((name) => [words.labels[name], shown[name]]));
  byId("proved").hidden = false;
  byId("proved").open = true;
}

function showLive(live) {
  showVerdict(live.colour, live.word, live.sentence, live.advice, live.reason);
  byId("hint").textContent = live.hint;
  fill(byId("live"), live.facts);
  byId("live").hidden = !live.facts.length;
  byId("pair").innerHTML = "";
  for (const one of live.pair) {
    const box = document.createElement("div"), label = document.createElement("span"), word = document.createElement("strong");
    label.className = "small";
    label.textContent = one.label;
    word.textContent = `${one.sign} ${one.word}`;
    word.className = one.colour;
    box.append(label, word);
    byId("pair").append(box);
  }
  byId("pair").hidden = !live.pair.length;
  byId("proved").open = false;
}

// The list from the network, else the one kept by the service worker; null when there is neither.
async function keyList() {
  const reply = await fetch("/c/keys.json").catch(() => null);
  return reply && reply.ok ? reply.json() : null;
}

async function liveStatus(payload) {
  const body = new URLSearchParams({ payload });
  const reply = await fetch("/c/status", { method: "POST", body, headers: { accept: "application/json" } }).catch(() => null);
  return reply && (reply.headers.get("content-type") || "").startsWith("application/json") ? reply.json() : null;
}

async function check(payload) {
  if (!window.crypto || !crypto.subtle) return showVerdict("unsure", words.words.unsure, words.no_crypto.what, "", "no_crypto");
  const keys = await keyList();
  if (!keys) return showVerdict("unsure", words.words.unsure, words.no_keys.what, words.no_keys.advice, "no_keys");
  let claims;
  try {
    claims = await readPayload(payload, keys, new Date());
  } catch (failure) {
    if (!(failure instanceof Refusal)) throw failure;
    return showRefusal(failure.code, failure.detail);
  }
  showFields(claims, keys);
  showVerdict("unsure", words.words.unsure, words.asking, "", "");
  const live = await liveStatus(payload);
  if (live) showLive(live);
  else showVerdict("unsure", words.words.unsure, words.offline.what, words.offline.advice, "code_valid_offline");
}

if ("serviceWorker" in navigator) navigator.serviceWorker.register("/c/sw.js").catch(() => undefined);
const payload = decodeURIComponent(location.pathname.slice("/c/".length)).toUpperCase();
if (payload) {
  check(payload).finally(() => { document.documentElement.dataset.done = "yes"; });
}
