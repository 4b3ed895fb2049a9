"use strict";
// Verifies a bundle (docs/bundle-format.md) here, in this page: nothing is sent anywhere, and the policy in the head of the
// page would not let it be.  The steps, their codes and their order are those of deliverability/ledger/verify.py.
(() => {
  const MAX_BUNDLE = 64 * 1024 * 1024;
  const MAX_NOTE = 65536;
  const MAX_RECORD = 1048576;
  const MAX_BODY = MAX_RECORD + 8192;
  const MAX_TOKEN = 65536;
  const MAX_ROOTS = 1024 * 1024;
  const MAX_MARKS = 1000000;
  const KIND = "dispatch-evidence";
  const KINDS = ["intent", "outcome", "snapshot", "later", "batch", "erasure", "incident", "key", "origin"];

  class Bad extends Error {} // not of the form: damaged, or changed
  class Other extends Error {} // something else, or newer: nothing can be said
  class Lacking extends Error {} // this browser lacks what it takes

  // --- octets ---

  const encode = (text) => new TextEncoder().encode(text);
  const hex = (octets) => Array.from(octets, (octet) => octet.toString(16).padStart(2, "0")).join("");

  function decode(octets) {
    try {
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(octets);
    } catch {
      throw new Bad("not UTF-8");
    }
  }

  function join(...parts) {
    const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
    let place = 0;
    for (const part of parts) {
      whole.set(part, place);
      place += part.length;
    }
    return whole;
  }

  const same = (a, b) => a.length === b.length && a.every((octet, place) => octet === b[place]);

  function fromHex(text, length) {
    if (typeof text !== "string" || text.length !== 2 * length || !/^[0-9a-f]*$/.test(text)) {
      throw new Bad(`${length} octets in hexadecimal were expected`);
    }
    return Uint8Array.from({ length }, (_, i) => parseInt(text.slice(2 * i, 2 * i + 2), 16));
  }

  function fromBase64(text) {
    if (typeof text !== "string" || text.length % 4 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) {
      throw new Bad("base64 was expected");
    }
    let binary;
    try {
      binary = atob(text);
    } catch {
      throw new Bad("base64 was expected");
    }
    const octets = new Uint8Array(binary.length);
    for (let i = 0; i < binary.length; i += 1) octets[i] = binary.charCodeAt(i);
    const tail = String.fromCharCode(...octets.slice(3 * Math.floor((octets.length - 1) / 3)));
    if (text !== "" && btoa(tail) !== text.slice(-4)) throw new Bad("base64 is not in its canonical form");
    return octets;
  }

  function subtle() {
    if (!globalThis.crypto || !crypto.subtle) throw new Lacking("WebCrypto");
    return crypto.subtle;
  }
  const hash = async (name, octets) => new Uint8Array(await subtle().digest(name, octets));
  const sha256 = (...parts) => hash("SHA-256", join(...parts));

  // --- canonical JSON (§1): whatever this does not read is not canonical ---

  function codePointOrder(a, b) {
    const left = Array.from(a);
    const right = Array.from(b);
    for (let i = 0; i < left.length && i < right.length; i += 1) {
      const order = left[i].codePointAt(0) - right[i].codePointAt(0);
      if (order) return order;
    }
    return left.length - right.length;
  }

  function parseCanonical(text) {
    let place = 0;
    let marks = 0; // commas and opening brackets: a browser that runs out of memory says nothing
    const PLAIN = /[^"\\\u0000-\u001f]*/y;
    const NUMBER = /-?(?:0|[1-9][0-9]{0,15})/y;
    const ESCAPES = { '"': '"', "\\": "\\", b: "\b", t: "\t", n: "\n", f: "\f", r: "\r" };
    const fail = () => {
      throw new Bad("not in canonical form");
    };
    const mark = () => {
      marks += 1;
      if (marks > MAX_MARKS) throw new Bad(`more than ${MAX_MARKS} commas and brackets`);
    };
    const matched = (pattern) => {
      pattern.lastIndex = place;
      const found = pattern.exec(text)[0];
      place += found.length;
      return found;
    };

    function string() {
      if (text[place] !== '"') fail();
      place += 1;
      const parts = [];
      for (;;) {
        parts.push(matched(PLAIN));
        const next = text[place];
        if (next === '"') {
          place += 1;
          return parts.join("");
        }
        if (next !== "\\") fail();
        const short = ESCAPES[text[place + 1]];
        if (short !== undefined) {
          parts.push(short);
          place += 2;
          continue;
        }
        const digits = text.slice(place, place + 6);
        if (!/^\\u00[01][0-9a-f]$/.test(digits)) fail();
        const character = String.fromCharCode(parseInt(digits.slice(2), 16));
        if ("\b\t\n\f\r".includes(character)) fail();
        parts.push(character);
        place += 6;
      }
    }

    function number() {
      NUMBER.lastIndex = place;
      if (!NUMBER.test(text)) fail();
      const digits = matched(NUMBER);
      const value = Number(digits);
      if (digits === "-0" || !Number.isSafeInteger(value) || /[0-9.eE]/.test(text[place] || "")) fail();
      return value;
    }

    function list(depth) {
      const found = [];
      place += 1;
      if (text[place] === "]") {
        place += 1;
        return found;
      }
      for (;;) {
        found.push(value(depth));
        const next = text[place];
        place += 1;
        if (next === "]") return found;
        if (next !== ",") fail();
        mark();
      }
    }

    function object(depth) {
      const found = Object.create(null);
      let before = null;
      place += 1;
      if (text[place] === "}") {
        place += 1;
        return found;
      }
      for (;;) {
        const name = string();
        if (before !== null && codePointOrder(before, name) >= 0) fail();
        before = name;
        if (text[place] !== ":") fail();
        place += 1;
        found[name] = value(depth);
        const next = text[place];
        place += 1;
        if (next === "}") return found;
        if (next !== ",") fail();
        mark();
      }
    }

    function value(depth) {
      const first = text[place];
      if (first === "{" || first === "[") {
        if (depth === 32) throw new Bad("nested deeper than 32");
        mark();
        return first === "{" ? object(depth + 1) : list(depth + 1);
      }
      if (first === '"') return string();
      for (const [word, meaning] of [["null", null], ["true", true], ["false", false]]) {
        if (text.startsWith(word, place)) {
          place += word.length;
          return meaning;
        }
      }
      return number();
    }

    const found = value(0);
    if (place !== text.length) fail();
    return found;
  }

  function typeOf(value) {
    if (value === null) return "null";
    if (Array.isArray(value)) return "array";
    return typeof value; // string, number, boolean, object
  }

  /** An object with exactly these members; a type that ends in "?" may be null. */
  function members(value, shape, what) {
    if (typeOf(value) !== "object") throw new Bad(`${what} is not an object`);
    for (const name of Object.keys(value)) {
      if (!Object.hasOwn(shape, name)) throw new Bad(`${what}: unknown member`);
    }
    for (const [name, wanted] of Object.entries(shape)) {
      if (!(name in value)) throw new Bad(`${what}: no member '${name}'`);
      const type = typeOf(value[name]);
      if (type !== wanted.replace("?", "") && !(wanted.endsWith("?") && type === "null")) {
        throw new Bad(`${what}: member '${name}' is of the wrong type`);
      }
    }
    return value;
  }

  // --- the bundle (§2, §3) ---

  function holds(octets, needle) {
    for (let at = octets.indexOf(needle[0]); at >= 0; at = octets.indexOf(needle[0], at + 1)) {
      if (needle.every((octet, i) => octets[at + i] === octet)) return true;
    }
    return false;
  }

  function parseBundle(octets) {
    if (octets.length > MAX_BUNDLE) throw new Bad("a bundle of more than 64 MiB");
    if (!holds(octets, encode(KIND))) throw new Other("this is no bundle of dispatch evidence");
    const value = parseCanonical(decode(octets));
    if (typeOf(value) !== "object" || value.kind !== KIND) throw new Other("this is no bundle of dispatch evidence");
    if (typeOf(value.schema_version) === "number" && value.schema_version > 1) {
      throw new Other(`a bundle of version ${value.schema_version}, which this page does not know yet; use a newer one`);
    }
    const shape = { kind: "string", schema_version: "number", origin: "string", checkpoint: "string" };
    const most = { keys: 16, entries: 10000, tokens: 16, continuations: 16, files: 64 };
    for (const name of Object.keys(most)) shape[name] = "array";
    members(value, shape, "a bundle");
    if (value.schema_version !== 1) throw new Bad("a bundle of an unknown version");
    for (const [name, count] of Object.entries(most)) {
      if (value[name].length > count) throw new Bad(`a bundle with more than ${count} ${name}`);
    }
    if (value.keys.some((key) => typeof key !== "string")) throw new Bad("text was expected");
    return {
      origin: value.origin,
      keys: value.keys,
      checkpoint: note(value.checkpoint),
      entries: value.entries.map(entry),
      tokens: value.tokens.map((token) => {
        const found = fromBase64(token);
        if (found.length > MAX_TOKEN) throw new Bad("a time-stamp is too long");
        return found;
      }),
      continuations: value.continuations.map((one) => {
        members(one, { checkpoint: "string", proof: "array" }, "a continuation");
        return { note: note(one.checkpoint), proof: proof(one.proof) };
      }),
      files: value.files.map((file) => {
        members(file, { name: "string", media_type: "string", content: "string" }, "a file");
        const named = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/.test(file.name);
        if (!named || !/^[a-z0-9][a-z0-9.+-]{0,60}\/[a-z0-9][a-z0-9.+-]{0,60}$/.test(file.media_type)) {
          throw new Bad("a file in a bundle has a plain name and a media type");
        }
        return { name: file.name, content: fromBase64(file.content) };
      }),
    };
  }

  function note(text) {
    const octets = encode(text);
    if (octets.length > MAX_NOTE) throw new Bad("a checkpoint is too long");
    return octets;
  }

  function proof(list) {
    if (list.length > 64) throw new Bad("a proof of too many hashes");
    return list.map((one) => fromHex(one, 32));
  }

  function entry(value) {
    members(value, { number: "number", leaf: "string", salt: "string?", record: "string?", proof: "array" }, "an entry");
    if ((value.salt === null) !== (value.record === null)) throw new Bad("an entry has its record and its salt, or neither");
    const record = value.record === null ? null : encode(value.record);
    if (record && record.length > MAX_BODY) throw new Bad("a record is too long");
    return {
      number: value.number,
      leaf: fromHex(value.leaf, 42),
      salt: value.salt === null ? null : fromHex(value.salt, 32),
      record,
      proof: proof(value.proof),
    };
  }

  function parseLeaf(octets) {
    if (octets[0] !== 1) throw new Bad("a leaf begins with its version, 1");
    if (octets[1] < 1 || octets[1] > 9) throw new Bad("a leaf of an unknown kind");
    const number = BigInt(`0x${hex(octets.slice(2, 10))}`);
    return { kind: KINDS[octets[1] - 1], reference: number ? number - 1n : null, commitment: octets.slice(10) };
  }

  function parseBody(octets) {
    const shape = {
      account: "string?", event: "object", kind: "string", origin: "string", previous: "string?",
      schema_version: "number", sequence: "number?",
    };
    const body = members(parseCanonical(decode(octets)), shape, "a sealed record");
    if (body.schema_version !== 1) throw new Bad("a sealed record of another schema version");
    if (!KINDS.includes(body.kind)) throw new Bad("a sealed record of an unknown kind");
    if ((body.account === null) !== (body.sequence === null) || (body.sequence !== null && body.sequence < 1)) {
      throw new Bad("a sealed record has a place in its account's sequence, or has no account");
    }
    if ((body.previous !== null) !== (body.sequence !== null && body.sequence > 1)) {
      throw new Bad("a sealed record names the entry before it, unless it is its account's first");
    }
    if (body.previous !== null) fromHex(body.previous, 32);
    return body;
  }

  // --- events (§3) ---

  const FINISHES = ["accepted", "deferred", "refused", "failed", "uncertain", "unknown"];
  const EVENTS = {
    intent: {
      sending: "string", account: "string", reverse_path: "string", forward_path: "string", next_hop: "string",
      channel: "string", message_id: "string?", subject: "string?", author_domain: "string?", size: "number",
      sha256: "string", signatures: "array", hop: "string",
    },
    outcome: {
      finish: "string", detail: "string", stage: "string?", local_ip: "string?", helo: "string?",
      remote_queue_id: "string?", certificate_sha256: "string?", transcript_sha256: "string?", reply: "object?",
      rcpt_reply: "object?", relay: "object?", tls: "object?",
    },
    snapshot: { observations: "array", verified: "array" },
    later: {
      event: "string", detail: "string", finish: "string?", level: "string?", witness: "string?", reply: "object?",
      relay: "object?", exhibit_sha256: "string?",
    },
  };
  const PARTS = {
    reply: { code: "number?", enhanced_status_code: "string?", text: "string" },
    relay: { name: "string?", ip: "string?", port: "number?" },
    tls: { version: "string", cipher: "string?", verified: "boolean?" },
  };
  PARTS.rcpt_reply = PARTS.reply;
  const CHECKS = {
    sending: (text) => /^[0-9a-f]{32}$/.test(text),
    size: (number) => number >= 0,
    hop: (text) => ["recipient-mx", "relay"].includes(text),
    signatures: (list) => tuples(list, 2),
    verified: (list) => tuples(list, 3),
    observations: (list) => list.every((one) => typeOf(one) === "object"),
    finish: (text) => FINISHES.includes(text),
    level: (text) => ["accepted", "delivered", "displayed"].includes(text),
  };
  for (const name of ["sha256", "certificate_sha256", "transcript_sha256", "exhibit_sha256"]) {
    CHECKS[name] = (text) => /^[0-9a-f]{64}$/.test(text);
  }

  function tuples(list, width) {
    return list.every((one) => Array.isArray(one) && one.length === width && one.every((text) => typeof text === "string"));
  }

  function checkEvent(event) {
    const own = typeof event.kind === "string" && Object.hasOwn(EVENTS, event.kind) ? EVENTS[event.kind] : null;
    if (own === null) throw new Bad("a record of a kind that this version does not know");
    members(event, { schema_version: "number", kind: "string", dispatch: "string", at: "string", ...own }, "a record");
    if (event.schema_version !== 1) throw new Bad("a record of another schema version");
    if (!/^[0-9a-f]{32}$/.test(event.dispatch)) throw new Bad("a dispatch is named by 32 hexadecimal digits");
    checkTime(event.at);
    for (const name of Object.keys(own)) {
      if (event[name] === null) continue;
      if (PARTS[name]) members(event[name], PARTS[name], `'${name}'`);
      if (CHECKS[name] && !CHECKS[name](event[name])) throw new Bad(`member '${name}' is not of its form`);
    }
    return event;
  }

  function checkTime(text) {
    const parts = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)\.\d{6}Z$/.exec(text);
    const [year, month, day, hour, minute, second] = parts ? parts.slice(1).map(Number) : [0];
    const days = [31, (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0 ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    if (!(year >= 1 && month >= 1 && month <= 12 && day >= 1 && day <= days[month - 1] && hour < 24 && minute < 60 && second < 60)) {
      throw new Bad("a time is written YYYY-MM-DDTHH:MM:SS.ffffffZ");
    }
  }

  // --- notes, keys, heads (§4) ---

  const NAME = "[^\\p{White_Space}+\\u0000-\\u001f\\u007f]{1,255}";
  const KEY = new RegExp(`^(${NAME})\\+([0-9a-f]{8})\\+([A-Za-z0-9+/]{4,8192}={0,2})$`, "u");
  const LINE = new RegExp(`^— (${NAME}) ([A-Za-z0-9+/]{8,8192}={0,2})$`, "u");

  async function parseKey(text) {
    const parts = text.length <= MAX_NOTE ? KEY.exec(text) : null;
    if (!parts) throw new Bad("not a verifier key: NAME+8 hexadecimal digits+base64 was expected");
    const octets = fromBase64(parts[3]);
    if (octets.length !== 33 || octets[0] !== 1) throw new Bad("a verifier key of an algorithm that this version does not know");
    const id = (await sha256(encode(parts[1]), Uint8Array.of(10), octets)).slice(0, 4);
    if (hex(id) !== parts[2]) throw new Bad("the verifier key is damaged: its id is not that of its name and octets");
    return { name: parts[1], id, public: octets.slice(1), text };
  }

  function parseNote(octets) {
    if (octets.length > MAX_NOTE) throw new Bad("a signed note is too long");
    const whole = decode(octets);
    if (/[\u0000-\u0009\u000b-\u001f]/.test(whole)) throw new Bad("a signed note has a control character in it");
    const cut = whole.lastIndexOf("\n\n");
    if (cut < 1 || !whole.endsWith("\n") || cut + 2 === whole.length) {
      throw new Bad("a signed note needs a text, an empty line, and signature lines");
    }
    const lines = whole.slice(cut + 2, -1).split("\n");
    if (lines.length > 16) throw new Bad("a signed note has more than 16 signatures");
    const signatures = lines.map((line) => {
      const parts = LINE.exec(line);
      const found = parts ? fromBase64(parts[2]) : [];
      if (found.length <= 4) throw new Bad("a signature line is not of the form '— NAME BASE64'");
      return { name: parts[1], id: found.slice(0, 4), signature: found.slice(4) };
    });
    if (new Set(signatures.map((one) => `${one.name} ${hex(one.id)}`)).size !== signatures.length) {
      throw new Bad("a signed note has two signatures of one key");
    }
    return { text: whole.slice(0, cut + 1), signatures };
  }

  async function parseCheckpoint(octets) {
    const signed = parseNote(octets);
    const parts = /^([!-*,-~]{1,255})\n(0|[1-9][0-9]{0,18})\n([A-Za-z0-9+/]{43}=)\n$/.exec(signed.text);
    if (!parts) throw new Bad("a checkpoint has three lines: origin, size, root hash in base64");
    const size = BigInt(parts[2]);
    const root = fromBase64(parts[3]);
    if (size >= 1n << 63n) throw new Bad("a checkpoint has a size below 2^63");
    if (size === 0n && !same(root, await sha256())) throw new Bad("the root hash of an empty log is that of no octets");
    return { origin: parts[1], size, root, note: signed };
  }

  async function signedBy(key, signed) {
    const line = signed.signatures.find((one) => one.name === key.name && same(one.id, key.id));
    return line ? verifyEd25519(key.public, line.signature, encode(signed.text)) : false;
  }

  // --- Ed25519 (RFC 8032): the browser's own, else the arithmetic itself ---

  async function verifyEd25519(key, signature, message) {
    if (signature.length !== 64) return false;
    let imported;
    try {
      imported = await subtle().importKey("raw", key, { name: "Ed25519" }, false, ["verify"]);
    } catch (problem) {
      if (problem instanceof Lacking) throw problem;
      return verifyPlainly(key, signature, message); // a browser without Ed25519
    }
    return subtle().verify({ name: "Ed25519" }, imported, signature, message);
  }

  const P = (1n << 255n) - 19n;
  const L = (1n << 252n) + 27742317777372353535851937790883648493n;
  const mod = (a, m = P) => ((a % m) + m) % m;

  function power(base, exponent) {
    let result = 1n;
    for (let b = mod(base), e = exponent; e > 0n; e >>= 1n, b = (b * b) % P) {
      if (e & 1n) result = (result * b) % P;
    }
    return result;
  }

  const D = mod(-121665n * power(121666n, P - 2n));
  const littleEndian = (octets) => BigInt(`0x${hex(octets.slice().reverse()) || "0"}`);

  /** X, Y, Z, T with x = X/Z, y = Y/Z, xy = T/Z (RFC 8032 §5.1.4). */
  function add([x1, y1, z1, t1], [x2, y2, z2, t2]) {
    const a = mod((y1 - x1) * (y2 - x2));
    const b = mod((y1 + x1) * (y2 + x2));
    const c = mod(2n * D * mod(t1 * t2));
    const d = mod(2n * z1 * z2);
    const [e, f, g, h] = [b - a, d - c, d + c, b + a];
    return [mod(e * f), mod(g * h), mod(f * g), mod(e * h)];
  }

  /** RFC 8032 §5.1.3, as lenient as OpenSSL: y may be written with p added, and x = 0 with a sign. */
  function decodePoint(octets) {
    const written = littleEndian(octets);
    const y = mod(written & ((1n << 255n) - 1n));
    const u = mod(y * y - 1n);
    const v = mod(D * y * y + 1n);
    let x = mod(u * power(v, 3n) * power(u * power(v, 7n), (P - 5n) / 8n));
    const square = mod(v * x * x);
    if (square === mod(-u) && u !== 0n) x = mod(x * power(2n, (P - 1n) / 4n));
    else if (square !== u) return null;
    if ((x & 1n) !== written >> 255n) x = mod(-x);
    return [x, y, 1n, mod(x * y)];
  }

  function encodePoint([x, y, z]) {
    const inverse = power(z, P - 2n);
    const written = mod(y * inverse) | ((mod(x * inverse) & 1n) << 255n);
    return fromHex(written.toString(16).padStart(64, "0"), 32).reverse();
  }

  /** Cofactorless: R must be the encoding of [S]B - [k]A, octet by octet, and S below the order. */
  async function verifyPlainly(key, signature, message) {
    if (signature.length !== 64 || key.length !== 32) return false;
    const s = littleEndian(signature.slice(32));
    const point = decodePoint(key);
    if (s >= L || !point) return false;
    const k = mod(littleEndian(await hash("SHA-512", join(signature.slice(0, 32), key, message))), L);
    const base = decodePoint(Uint8Array.from({ length: 32 }, (_, i) => (i ? 0x66 : 0x58)));
    const negative = [mod(-point[0]), point[1], 1n, mod(-point[3])];
    const both = add(base, negative);
    let sum = [0n, 1n, 1n, 0n];
    for (let bit = 253n; bit >= 0n; bit -= 1n) {
      sum = add(sum, sum);
      const which = (((s >> bit) & 1n) << 1n) | ((k >> bit) & 1n);
      if (which) sum = add(sum, which === 3n ? both : which === 2n ? base : negative);
    }
    return same(encodePoint(sum), signature.slice(0, 32));
  }

  // --- the tree (§5) ---

  const leafHash = (leaf) => sha256(Uint8Array.of(0), leaf);
  const nodeHash = (left, right) => sha256(Uint8Array.of(1), left, right);

  async function included(hashed, number, size, path, root) {
    if (number < 0n || number >= size) return false;
    let [place, last, found] = [number, size - 1n, hashed];
    for (const sibling of path) {
      if (last === 0n) return false;
      if (place & 1n || place === last) {
        found = await nodeHash(sibling, found);
        while (!(place & 1n) && place) [place, last] = [place >> 1n, last >> 1n];
      } else {
        found = await nodeHash(found, sibling);
      }
      [place, last] = [place >> 1n, last >> 1n];
    }
    return last === 0n && same(found, root);
  }

  async function consistent(old, young, path) {
    if (old.size === young.size) return path.length === 0 && same(old.root, young.root);
    if (old.size === 0n) return path.length === 0 && same(old.root, await sha256());
    if (!path.length) return false;
    const whole = old.size & (old.size - 1n) ? path : [old.root, ...path];
    let [place, last] = [old.size - 1n, young.size - 1n];
    while (place & 1n) [place, last] = [place >> 1n, last >> 1n];
    let [first, second] = [whole[0], whole[0]];
    for (const sibling of whole.slice(1)) {
      if (last === 0n) return false;
      if (place & 1n || place === last) {
        [first, second] = [await nodeHash(sibling, first), await nodeHash(sibling, second)];
        while (!(place & 1n) && place) [place, last] = [place >> 1n, last >> 1n];
      } else {
        second = await nodeHash(second, sibling);
      }
      [place, last] = [place >> 1n, last >> 1n];
    }
    return last === 0n && same(first, old.root) && same(second, young.root);
  }

  const stamps = timeStamps({ Bad, Lacking, decode, hash, hex, join, same, subtle, verifyEd25519 });

  // --- the steps (§6) ---

  /** `trust`: certificates that the reader gave (`roots`, DER), and SHA-256 digests of certificates (`fingerprints`). */
  async function verifyBundle(octets, keyTexts, heads, trust = { roots: [], fingerprints: [] }) {
    const findings = [];
    const find = (step, held, code, parameters = {}) => findings.push({ step, held, code, parameters });
    const done = (told = []) => ({ findings, verdict: verdictOf(findings), told });
    let bundle;
    let checkpoint;
    try {
      bundle = parseBundle(octets);
      checkpoint = await parseCheckpoint(bundle.checkpoint);
    } catch (problem) {
      if (problem instanceof Other) find("form", "undecided", "form-other", { problem: problem.message });
      else if (problem instanceof Bad) find("form", "failed", "form-bad", { problem: problem.message });
      else throw problem;
      return done();
    }
    find("form", "shown", "form-good", { origin: bundle.origin, size: String(checkpoint.size) });
    const keys = await Promise.all(keyTexts.map(parseKey));
    const own = await Promise.all(bundle.keys.map((text) => parseKey(text).catch(passBad)));
    const work = { bundle, checkpoint, keys, own, trust, find, read: new Map(), told: new Map() };
    for (const step of [records, inclusion, signature, time, pairs, sequence, files]) await step(work);
    for (const head of heads) await later(work, head);
    const failed = findings.some((finding) => finding.held === "failed");
    return done(failed ? [] : [...work.told.values()]);
  }

  function passBad(problem) {
    if (problem instanceof Bad) return null;
    throw problem;
  }

  function verdictOf(findings) {
    const shown = findings.filter((one) => one.held === "shown").map((one) => one.step);
    if (findings.some((one) => one.held === "failed")) return "tampered";
    if (findings.some((one) => one.step === "form" && one.held === "undecided")) return "other";
    return ["form", "records", "inclusion", "signature"].every((step) => shown.includes(step)) ? "complete" : "open";
  }

  async function records(work) {
    const { entries } = work.bundle;
    if (!entries.length) {
      work.find("records", "absent", "records-none");
      return;
    }
    if (entries.some((one, i) => i && one.number <= entries[i - 1].number)) work.find("records", "failed", "records-order");
    const problems = [];
    // All hashes are asked for at once: one after the other, a long bundle would take minutes in a busy browser.
    work.leafHashes = await Promise.all(entries.map((one) => leafHash(one.leaf)));
    const commitments = await Promise.all(entries.map((one) => one.record && commitment(one)));
    for (const [i, one] of entries.entries()) {
      try {
        readEntry(work, one, commitments[i]);
      } catch (problem) {
        if (!(problem instanceof Bad)) throw problem;
        problems.push({ number: String(one.number), problem: problem.message });
      }
    }
    for (const problem of problems.slice(0, 3)) work.find("records", "failed", "record-bad", problem);
    const erased = entries.filter((one) => one.record === null).length;
    const counted = { count: String(entries.length - erased), erased: String(erased) };
    if (erased === entries.length) work.find("records", "absent", "records-erased", counted);
    else if (!problems.length) work.find("records", "shown", "records-good", counted);
  }

  const commitment = (one) => sha256(encode("dispatch-evidence/v1\0"), one.salt, one.record);

  function readEntry(work, one, committed) {
    const leaf = parseLeaf(one.leaf);
    if (one.record === null) return;
    if (!same(committed, leaf.commitment)) {
      throw new Bad("the record is not the one that was sealed");
    }
    const body = parseBody(one.record);
    if (body.origin !== work.checkpoint.origin) throw new Bad("a record of another log");
    if (body.kind !== leaf.kind) throw new Bad("a leaf of another kind than its record");
    work.read.set(one.number, { leaf, body });
    if (Object.hasOwn(EVENTS, leaf.kind)) work.told.set(one.number, checkEvent(body.event));
  }

  async function inclusion(work) {
    const { bundle, checkpoint } = work;
    if (!bundle.entries.length) return;
    const good = await Promise.all(
      bundle.entries.map((one, i) => included(work.leafHashes[i], BigInt(one.number), checkpoint.size, one.proof, checkpoint.root)),
    );
    const bad = bundle.entries.filter((_, i) => !good[i]).map((one) => one.number);
    const counted = { count: String(bundle.entries.length), size: String(checkpoint.size) };
    if (bundle.origin !== checkpoint.origin) work.find("inclusion", "failed", "origin-differs");
    else if (bad.length) work.find("inclusion", "failed", "inclusion-bad", { numbers: bad.slice(0, 10).join(", ") });
    else work.find("inclusion", "shown", "inclusion-good", counted);
  }

  async function signature(work) {
    const { checkpoint, keys, own } = work;
    const signer = async (among) => {
      for (const key of among) {
        if (key.name === checkpoint.origin && (await signedBy(key, checkpoint.note))) return key.text;
      }
      return null;
    };
    const trusted = await signer(keys);
    if (trusted) work.find("signature", "shown", "signature-good", { key: trusted });
    else if (keys.length) work.find("signature", "failed", "signature-bad", { key: keys[0].text });
    else if (own.includes(null)) work.find("signature", "failed", "keys-bad", { problem: "not a verifier key" });
    else {
      const key = await signer(own);
      if (key) work.find("signature", "undecided", "signature-own-key", { key });
      else work.find("signature", "failed", "signature-none");
    }
  }

  async function time(work) {
    if (!work.bundle.tokens.length) work.find("time", "absent", "time-none");
    for (const token of work.bundle.tokens) {
      try {
        const { roots, fingerprints } = work.trust;
        const found = await stamps.verifyToken(token, work.bundle.checkpoint, roots, fingerprints);
        if (found.unable !== null) work.find("time", "undecided", "time-method", { ...found, method: found.unable });
        else if (found.vouched) work.find("time", "shown", "time-good", found);
        else work.find("time", "undecided", "time-no-root", found);
      } catch (problem) {
        if (!(problem instanceof Bad)) throw problem;
        work.find("time", "failed", "time-bad", { problem: problem.message });
      }
    }
  }

  async function pairs(work) {
    const intents = new Map([...work.told].filter(([, event]) => event.kind === "intent"));
    const bad = [];
    for (const [number, event] of work.told) {
      if (event.kind === "intent") continue;
      const { reference } = work.read.get(number).leaf;
      const intent = reference === null ? undefined : intents.get(Number(reference));
      if (reference === null || reference >= BigInt(number) || (intent && intent.dispatch !== event.dispatch)) bad.push(number);
    }
    const settled = new Set([...work.told.values()].filter((event) => event.kind === "outcome").map((event) => event.dispatch));
    const open = [...intents.values()].filter((intent) => !settled.has(intent.dispatch)).length;
    const counted = { count: String(intents.size), open: String(open) };
    if (bad.length) work.find("pairs", "failed", "pairs-bad", { numbers: bad.slice(0, 10).join(", ") });
    else if (intents.size) work.find("pairs", "shown", open ? "pairs-open" : "pairs-good", counted);
    else work.find("pairs", "absent", "pairs-none");
  }

  async function sequence(work) {
    const accounts = new Map();
    for (const [number, { body }] of work.read) {
      if (body.account === null) continue;
      if (!accounts.has(body.account)) accounts.set(body.account, []);
      accounts.get(body.account).push({ number, body });
    }
    const hashes = new Map();
    for (const [i, one] of work.bundle.entries.entries()) hashes.set(one.number, hex(work.leafHashes[i]));
    for (const list of accounts.values()) {
      let [broken, gap] = [false, false];
      for (let i = 1; i < list.length; i += 1) {
        const [before, after] = [list[i - 1], list[i]];
        const step = after.body.sequence - before.body.sequence;
        if (step < 1 || (step === 1 && after.body.previous !== hashes.get(before.number))) broken = true;
        if (step !== 1) gap = true;
      }
      const said = {
        first: String(list[0].body.sequence), last: String(list[list.length - 1].body.sequence), count: String(list.length),
      };
      if (broken) work.find("sequence", "failed", "sequence-bad", said);
      else work.find("sequence", gap ? "absent" : "shown", gap ? "sequence-gap" : "sequence-good", said);
    }
  }

  async function files(work) {
    const named = new Set();
    for (const event of work.told.values()) {
      named.add({ intent: event.sha256, outcome: event.transcript_sha256, later: event.exhibit_sha256 }[event.kind]);
    }
    for (const file of work.bundle.files) {
      const good = named.has(hex(await sha256(file.content)));
      work.find("files", good ? "shown" : "failed", good ? "file-good" : "file-bad", { name: file.name });
    }
    if (!work.bundle.files.length) work.find("files", "absent", "files-none");
  }

  async function later(work, head) {
    const { bundle, checkpoint, keys, own } = work;
    const found = (held, code, parameters) => work.find("later", held, code, parameters);
    let other;
    try {
      other = await parseCheckpoint(head);
    } catch (problem) {
      if (!(problem instanceof Bad)) throw problem;
      found("undecided", "later-unreadable", { problem: problem.message });
      return;
    }
    const said = { size: String(other.size) };
    const signers = [];
    for (const key of [...keys, ...own]) if (key && (await signedBy(key, other.note))) signers.push(key);
    if (other.origin !== checkpoint.origin) found("undecided", "later-other-log", { origin: other.origin });
    else if (!signers.length) found("undecided", "later-unsigned", said);
    else if (other.size === checkpoint.size) {
      const equal = same(other.root, checkpoint.root);
      found(equal ? "shown" : "failed", equal ? "later-same" : "later-fork", said);
    } else {
      const [old, young] = other.size < checkpoint.size ? [other, checkpoint] : [checkpoint, other];
      let [proofs, good] = [0, false];
      for (const one of bundle.continuations) {
        const at = await parseCheckpoint(one.note).catch(passBad);
        if (!at || at.origin !== other.origin || at.size !== other.size || !same(at.root, other.root)) continue;
        proofs += 1;
        good = good || (await consistent(old, young, one.proof));
      }
      if (!proofs) found("undecided", "later-no-proof", said);
      else found(good ? "shown" : "failed", good ? "later-good" : "later-fork", said);
    }
  }

  // --- the page ---

  if (typeof document === "undefined") {
    globalThis.verifier = { verifyBundle, verifyEd25519, verifyPlainly, readHead, stamps };
    return;
  }

  const WORDS = JSON.parse(document.getElementById("words").textContent);
  const at = (id) => document.getElementById(id);
  let language = (navigator.language || "").toLowerCase().startsWith("zh") ? "zh-Hant-TW" : "en";
  let content = null; // the octets of the file that was chosen
  let roots = []; // certificates that the reader gave, DER
  let badRoots = false; // whether that file was none of certificates
  let turn = 0;

  const fill = (template, parameters) => template.replace(/\{([^}]*)\}/g, (_, name) => parameters[name] ?? "");
  const say = (key, parameters = {}) => fill(WORDS[language][key] ?? key, parameters);
  // Foreign text: no control characters, and nothing that turns the direction of what stands beside it.
  const plain = (text) => text.replace(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g, "\ufffd");

  function element(name, text, className) {
    const made = document.createElement(name);
    if (text !== undefined) made.textContent = plain(text);
    if (className) made.className = className;
    return made;
  }

  /** A head as it is passed around: the note itself, or the header field of a mail that carries it. */
  function readHead(text) {
    const lines = text.replace(/\r\n?/g, "\n").trim();
    if (/^dispatch-checkpoint:/i.test(lines) || !lines.includes("\n\n")) {
      const words = lines.replace(/^dispatch-checkpoint:/i, "").split(/[ \t\n]+/).filter((word) => word);
      const below = [];
      for (let i = 3; i < words.length; i += 2) below.push(`— ${words[i]} ${words[i + 1] ?? ""}\n`);
      return encode(`${words.slice(0, 3).join("\n")}\n\n${below.join("")}`);
    }
    return encode(`${lines}\n`);
  }

  function translate() {
    document.documentElement.lang = language;
    document.title = say("page.title");
    for (const one of document.querySelectorAll("[data-words]")) one.textContent = say(one.dataset.words);
    for (const button of document.querySelectorAll("[data-language]")) {
      button.setAttribute("aria-pressed", String(button.dataset.language === language));
    }
  }

  async function show() {
    turn += 1;
    const mine = turn;
    translate();
    const problems = [];
    const keys = [];
    for (const text of at("key").value.split(/\s+/).filter((word) => word)) {
      try {
        keys.push((await parseKey(text)).text);
      } catch (problem) {
        problems.push(problem instanceof Lacking ? say("page.lacking", { what: problem.message }) : say("page.no-key"));
      }
    }
    const trust = { roots, fingerprints: [] };
    try {
      trust.fingerprints = stamps.readFingerprints(at("fingerprint").value);
    } catch (problem) {
      if (!(problem instanceof Bad)) throw problem;
      problems.push(say("page.no-fingerprint"));
    }
    if (badRoots) problems.push(say("page.no-root"));
    const heads = at("head").value.trim() ? [readHead(at("head").value)] : [];
    let result = null;
    if (content && !problems.length) {
      try {
        result = await verifyBundle(content, keys, heads, trust);
      } catch (problem) {
        problems.push(problem instanceof Lacking ? say("page.lacking", { what: problem.message }) : say("page.broken"));
      }
    }
    if (mine === turn) render(result, problems);
  }

  function render(result, problems) {
    const main = at("result");
    main.replaceChildren(...problems.map((problem) => element("p", problem, "problem")));
    main.hidden = !result && !problems.length;
    document.documentElement.dataset.verdict = result ? result.verdict : problems.length ? "none" : "";
    document.documentElement.dataset.turn = String(turn);
    if (!result) return;
    main.append(element("p", say(`seal.verdict.${result.verdict}`), `verdict ${result.verdict}`));
    const list = element("ol");
    list.id = "findings";
    for (const finding of result.findings) {
      const item = element("li", undefined, finding.held);
      Object.assign(item.dataset, { step: finding.step, held: finding.held, code: finding.code });
      item.append(element("strong", say(`seal.held.${finding.held}`)), " ", element("bdi", sentence(finding)));
      if (finding.code === "signature-own-key") item.append(" ", element("em", say("page.own-key")));
      if (finding.code === "time-no-root") item.append(" ", element("em", say("page.time", finding.parameters)));
      list.append(item);
    }
    main.append(element("h2", say("page.steps")), list);
    if (result.told.length) main.append(element("h2", say("seal.says")), told(result.told));
    const limits = element("ul");
    for (const name of ["truth", "complete", "time", "reading"]) limits.append(element("li", say(`seal.limits.${name}`)));
    main.append(element("h2", say("seal.limits")), limits);
  }

  /** The program's sentence; about a time-stamp without a root this page has its own. */
  const sentence = ({ code, parameters: { problem, ...others } }) => {
    const parameters = problem === undefined ? others : { ...others, problem: because(problem) };
    return say(code === "time-no-root" ? "page.time-no-root" : `seal.${code}`, parameters);
  };

  /** What was wrong, in the reader's language; the words of a program that nobody has put into it are quoted. */
  const because = (said) => WORDS[language][`reason.${said}`] ?? (language === "en" ? said : `「${said}」`);

  function moment(text) {
    const when = new Date(text);
    const shown = when.toLocaleString(language, { dateStyle: "long", timeStyle: "medium" });
    return `${shown} (${text.slice(0, 19).replace("T", " ")} UTC)`;
  }

  function told(events) {
    const list = element("ul", undefined, "told");
    const byDispatch = new Map();
    for (const event of events) byDispatch.set(event.dispatch, byDispatch.get(event.dispatch) || []);
    for (const event of events) byDispatch.get(event.dispatch).push(event);
    for (const intent of events.filter((event) => event.kind === "intent")) {
      const mine = byDispatch.get(intent.dispatch);
      const outcomes = mine.filter((event) => event.kind === "outcome");
      const later = mine.filter((event) => event.kind === "later");
      const last = outcomes[outcomes.length - 1];
      const finish = last ? last.finish : "open";
      const notTaken = (event) => ["refused", "failed"].includes(event.finish);
      const host = last && last.relay ? last.relay.name || last.relay.ip : null;
      const ending = finish === "accepted" ? (intent.hop === "recipient-mx" ? "accepted-mx" : "accepted-relay") : finish;
      const item = element("li");
      item.append(element("bdi", intent.subject || "-", "subject"), element("div", moment(intent.at)));
      const before = say(`seal.finish.${ending}`, { relay: host || intent.next_hop });
      const returned = later.some(notTaken) && !(last && notTaken(last));
      const ended = returned ? say("seal.finish.returned", { before }) : before;
      item.append(element("div", `${say("seal.row.to", { recipient: intent.forward_path })}: ${ended}`));
      for (const outcome of outcomes) {
        const said = outcome.reply ? outcome.reply.text : outcome.detail;
        if (said) item.append(element("div", `${moment(outcome.at)}: ${said}`, "reply"));
      }
      for (const event of later) {
        if (event.reply && event.reply.text) item.append(element("div", `${moment(event.at)}: ${event.reply.text}`, "reply"));
      }
      list.append(item);
    }
    return list;
  }

  async function take(file) {
    if (!file) return;
    content = file.size > MAX_BUNDLE ? new Uint8Array(MAX_BUNDLE + 1) : new Uint8Array(await file.arrayBuffer());
    at("name").textContent = plain(file.name);
    await show();
  }

  async function takeRoots(file) {
    [roots, badRoots] = [[], false];
    try {
      if (file) roots = stamps.readRoots(new Uint8Array(await file.slice(0, MAX_ROOTS + 1).arrayBuffer()));
    } catch (problem) {
      if (!(problem instanceof Bad)) throw problem;
      badRoots = true;
    }
    await show();
  }

  at("root").addEventListener("change", (event) => takeRoots(event.target.files[0]));
  at("file").addEventListener("change", (event) => take(event.target.files[0]));
  for (const id of ["key", "head", "fingerprint"]) at(id).addEventListener("input", show);
  at("print").addEventListener("click", () => window.print());
  for (const button of document.querySelectorAll("[data-language]")) {
    button.addEventListener("click", () => {
      language = button.dataset.language;
      show();
    });
  }
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    if (event.dataTransfer) take(event.dataTransfer.files[0]);
  });
  translate();
})();
