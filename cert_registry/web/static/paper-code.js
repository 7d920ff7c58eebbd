// A paper code read and verified in the browser: the same steps and refusals as printing/paper_code.py.
// RFC 9052 COSE_Sign1 with ES256 over CWT claims, in deterministic CBOR; unpadded Base32 (RFC 4648).

export class Refusal extends Error {
  constructor(code, detail) {
    super(code);
    this.code = code;
    this.detail = detail || "";
  }
}

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const WHOLE_LENGTHS = [0, 2, 4, 5, 7];
const SUBJECT = 2, EXPIRES = 4, ISSUED = 6, OWN = -65537;
export const LIST_GOOD_FOR_MS = 7 * 24 * 3600 * 1000;

// 1. our address; a scanner may have changed the case of scheme and host
export function payloadOf(text, prefix) {
  const code = text.trim();
  if (code.length > 4096) throw new Refusal("code_not_ours");
  if (code.slice(0, prefix.length).toLowerCase() === prefix.toLowerCase()) return code.slice(prefix.length).trim().toUpperCase();
  const other = /^(https?:\/\/[^/\s]+)\/c\/[A-Z2-7]/i.exec(code);
  throw other ? new Refusal("code_wrong_prefix", other[1].toLowerCase()) : new Refusal("code_not_ours");
}

// 2. whole and well-formed
function fromBase32(text) {
  if (!/^[A-Z2-7]*$/.test(text)) throw new Refusal("code_malformed");
  if (!text || !WHOLE_LENGTHS.includes(text.length % 8)) throw new Refusal("code_truncated");
  const bytes = new Uint8Array(Math.floor(text.length * 5 / 8));
  let bits = 0, value = 0, at = 0;
  for (const sign of text) {
    value = (value << 5) | ALPHABET.indexOf(sign);
    bits += 5;
    if (bits >= 8) {
      bits -= 8;
      bytes[at++] = value >> bits;
      value &= (1 << bits) - 1;
    }
  }
  if (value) throw new Refusal("code_truncated");
  return bytes;
}

// The few kinds of CBOR that a code holds; anything else, and any longer way to write them, is malformed.
class Reader {
  constructor(bytes) {
    this.bytes = bytes;
    this.at = 0;
  }

  take(count) {
    if (this.at + count > this.bytes.length) throw new Refusal("code_truncated");
    this.at += count;
    return this.bytes.subarray(this.at - count, this.at);
  }

  head() {
    const first = this.take(1)[0], kind = first >> 5, short = first & 31;
    if (short < 24) return [kind, short];
    if (short > 27) throw new Refusal("code_malformed");
    const size = 1 << (short - 24);
    let value = 0;
    for (const octet of this.take(size)) value = value * 256 + octet;
    const least = size === 1 ? 24 : 2 ** (4 * size);
    if (value < least || !Number.isSafeInteger(value)) throw new Refusal("code_malformed");
    return [kind, value];
  }

  item(depth = 0) {
    if (depth > 4) throw new Refusal("code_malformed");
    const [kind, value] = this.head();
    if (kind === 0) return value;
    if (kind === 1) return -1 - value;
    if (kind === 2) return this.take(value).slice();
    if (kind === 3) return this.text(value);
    if (kind === 4) return this.list(value, depth);
    if (kind === 5) return this.map(value, depth);
    if (kind === 6) return { tag: value, value: this.item(depth + 1) };
    throw new Refusal("code_malformed");
  }

  text(length) {
    try {
      return new TextDecoder("utf-8", { fatal: true }).decode(this.take(length));
    } catch (failure) {
      throw failure instanceof Refusal ? failure : new Refusal("code_malformed");
    }
  }

  list(length, depth) {
    const items = [];
    for (let n = 0; n < length; n++) items.push(this.item(depth + 1));
    return items;
  }

  map(length, depth) {
    const entries = new Map();
    let before = null;
    for (let n = 0; n < length; n++) {
      const start = this.at, key = this.item(depth + 1), written = this.bytes.subarray(start, this.at);
      if (typeof key !== "number" || (before && compare(before, written) >= 0)) throw new Refusal("code_malformed");
      before = written;
      entries.set(key, this.item(depth + 1));
    }
    return entries;
  }

  end() {
    if (this.at !== this.bytes.length) throw new Refusal("code_malformed");
  }
}

// Keys in the order of RFC 7049 3.9, which cbor2's canonical form writes: shorter first, then by their bytes.
function compare(one, other) {
  if (one.length !== other.length) return one.length - other.length;
  for (let n = 0; n < one.length; n++) if (one[n] !== other[n]) return one[n] - other[n];
  return 0;
}

function whole(bytes) {
  const reader = new Reader(bytes), item = reader.item();
  reader.end();
  return item;
}

function parseSign1(bytes) {
  const tagged = whole(bytes);
  if (!tagged || tagged.tag !== 18 || !Array.isArray(tagged.value) || tagged.value.length !== 4) throw new Refusal("code_malformed");
  const [protectedHeader, unprotected, payload, signature] = tagged.value;
  const octets = [protectedHeader, payload, signature].every((part) => part instanceof Uint8Array);
  if (!octets || !(unprotected instanceof Map) || unprotected.size || signature.length !== 64) throw new Refusal("code_malformed");
  const header = whole(protectedHeader), keyId = header instanceof Map ? header.get(4) : null;
  if (!(keyId instanceof Uint8Array) || header.size !== 2 || header.get(1) !== -7) throw new Refusal("code_malformed");
  return { protectedHeader, payload, signature, keyId: hex(keyId) };
}

function readClaims(payload) {
  const claims = whole(payload), own = claims instanceof Map ? claims.get(OWN) : null;
  if (!(own instanceof Map) || typeof claims.get(SUBJECT) !== "string" || typeof claims.get(ISSUED) !== "number") throw new Refusal("code_malformed");
  if (![1, 2, 3].includes(own.get(1)) || typeof own.get(2) !== "string" || typeof own.get(3) !== "number") throw new Refusal("code_malformed");
  const expires = claims.get(EXPIRES);
  return {
    kind: own.get(1), subject: claims.get(SUBJECT), type: own.get(2), dated: new Date(own.get(3) * 86400000).toISOString().slice(0, 10),
    issued_at: new Date(claims.get(ISSUED) * 1000), expires_at: expires === undefined ? null : new Date(expires * 1000),
    digest: own.has(4) ? hex(own.get(4)) : "", copy_serial: own.get(5) || "",
  };
}

// ["Signature1", protected, h'', payload], RFC 9052 4.4
function sigStructure(protectedHeader, payload) {
  const context = new TextEncoder().encode("Signature1");
  const parts = [[0x84, 0x6a], context, head(protectedHeader.length), protectedHeader, [0x40], head(payload.length), payload];
  const joined = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

function head(length) {
  if (length < 24) return [0x40 | length];
  return length < 256 ? [0x58, length] : [0x59, length >> 8, length & 255];
}

async function isSignedBy(key, signed) {
  const spki = Uint8Array.from(atob(key.spki), (sign) => sign.charCodeAt(0));
  const curve = { name: "ECDSA", namedCurve: "P-256" };
  const imported = await crypto.subtle.importKey("spki", spki, curve, false, ["verify"]);
  return crypto.subtle.verify({ name: "ECDSA", hash: "SHA-256" }, imported, signed.signature, sigStructure(signed.protectedHeader, signed.payload));
}

// `keys`: the published list; `now`: a Date. Returns the claims; throws the first Refusal.
export async function readPayload(payload, keys, now) {
  const signed = parseSign1(fromBase32(payload));
  const claims = readClaims(signed.payload);
  const stale = now - new Date(keys.published_at) > LIST_GOOD_FOR_MS;
  if (stale) throw new Refusal("code_stale_keys"); // 3. a key may have come or gone since
  const candidates = keys.keys.filter((key) => key.key_id === signed.keyId);
  if (!candidates.length) throw new Refusal("code_unknown_key");
  const signers = [];
  for (const key of candidates) if (await isSignedBy(key, signed)) signers.push(key); // 4
  if (!signers.length) throw new Refusal("code_bad_signature");
  const inForce = (key) => new Date(key.begin) <= claims.issued_at && (!key.until || claims.issued_at <= new Date(key.until));
  if (!signers.some(inForce)) throw new Refusal("code_key_not_in_force"); // 5
  if (claims.expires_at && now > claims.expires_at) throw new Refusal("code_expired", claims.expires_at.toLocaleString()); // 6
  return claims;
}

export function hex(bytes) {
  return Array.from(bytes, (octet) => octet.toString(16).padStart(2, "0")).join("");
}
