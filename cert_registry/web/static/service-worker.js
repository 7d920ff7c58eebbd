// Keeps the code page, its scripts and the key list, so that a code can be checked without a network.
// Never a code: what is kept is the same for everybody. The network's answer comes first and renews what is kept.
const KEPT = "zhengyin-code-1";
const SHELL = "/c/", KEYS = "/c/keys.json";
const PARTS = [
  SHELL, KEYS, "/static/zhengyin.css", "/static/icon.svg", "/static/registry/applicant.css", "/static/registry/code-page.js",
  "/static/registry/paper-code.js",
];

self.addEventListener("install", (event) => {
  event.waitUntil(caches.open(KEPT).then((cache) => cache.addAll(PARTS)).then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => {
  const others = (names) => Promise.all(names.filter((name) => name !== KEPT).map((name) => caches.delete(name)));
  event.waitUntil(caches.keys().then(others).then(() => self.clients.claim()));
});

async function answer(request, kept) {
  const cache = await caches.open(KEPT);
  try {
    const reply = await fetch(request);
    if (reply.ok && kept === new URL(request.url).pathname) await cache.put(kept, reply.clone());
    return reply;
  } catch (failure) {
    const found = await cache.match(kept);
    if (found) return found;
    throw failure;
  }
}

self.addEventListener("fetch", (event) => {
  const address = new URL(event.request.url);
  if (event.request.method !== "GET" || address.origin !== self.location.origin) return;
  if (event.request.mode === "navigate" && address.pathname.startsWith(SHELL)) event.respondWith(answer(event.request, SHELL));
  else if (PARTS.includes(address.pathname)) event.respondWith(answer(event.request, address.pathname));
});
