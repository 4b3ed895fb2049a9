#!/usr/bin/env node
// A verifier of bundles in plain JavaScript for Node, written from docs/bundle-format.md alone.  It shares no code with the
// package or its page, and goes about things differently where it can, so that all agree only if the page says it all.
//
//   node verify.mjs BUNDLE [--key KEY]... [--checkpoint HEAD]...
//   node verify.mjs --batch     one JSON object a line: {"bundle": base64, "keys": [...], "heads": [base64]}

import { createHash, createPublicKey, verify as verifySignature } from "node:crypto";
import { readFileSync } from "node:fs";

class Damaged extends Error {}
class Foreign extends Error {}

function need(condition, why) {
  if (!condition) throw new Damaged(why);
}

const sha = (...parts) => parts.reduce((h, part) => h.update(part), createHash("sha256")).digest();

// §1: JSON.parse reads it, and only what is written again alike was canonical.

function write(value, depth = 0) {
  if (value === null || typeof value === "boolean") return String(value);
  if (typeof value === "number") {
    need(Number.isSafeInteger(value) && !Object.is(value, -0), "number");
    return String(value);
  }
  if (typeof value === "string") {
    need(!/\p{Surrogate}/u.test(value), "surrogate");
    return JSON.stringify(value);
  }
  need(depth < 32, "depth");
  if (Array.isArray(value)) return `[${value.map((one) => write(one, depth + 1)).join(",")}]`;
  const names = Object.keys(value).sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))); // UTF-8 sorts as code points do
  return `{${names.map((name) => `${write(name)}:${write(value[name], depth + 1)}`).join(",")}}`;
}

function unicode(octets) {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(octets);
  } catch {
    throw new Damaged("UTF-8");
  }
}

function canonical(octets) {
  const text = unicode(octets);
  let value;
  let depth = 0;
  let marks = 0;
  for (const token of text.match(/"(?:[^"\\]|\\.)*"|[[\]{},]/gs) ?? []) {
    if (token === "[" || token === "{") need(++depth <= 32, "depth");
    else if (token === "]" || token === "}") depth -= 1;
    if (token === "[" || token === "{" || token === ",") need(++marks <= 1_000_000, "marks");
  }
  try {
    value = JSON.parse(text);
  } catch {
    throw new Damaged("JSON");
  }
  need(write(value) === text, "another spelling");
  return value;
}

const is = {
  text: (v) => typeof v === "string",
  number: (v) => typeof v === "number",
  list: Array.isArray,
  object: (v) => typeof v === "object" && v !== null && !Array.isArray(v),
  truth: (v) => typeof v === "boolean",
  hex: (octets) => (v) => typeof v === "string" && v.length === octets * 2 && /^[0-9a-f]*$/.test(v),
  among: (...words) => (v) => words.includes(v),
  matching: (pattern) => (v) => typeof v === "string" && pattern.test(v),
  base64: (v) => typeof v === "string" && Buffer.from(v, "base64").toString("base64") === v,
  lists: (width) => (v) => Array.isArray(v) && v.every((one) => Array.isArray(one) && one.length === width && one.every(is.text)),
};
const maybe = (test) => (v) => v === null || test(v);
const proofOf = (v) => Array.isArray(v) && v.length <= 64 && v.every(is.hex(32));

function shaped(value, shape) {
  need(is.object(value), "no object");
  const [have, want] = [Object.keys(value).sort(), Object.keys(shape).sort()];
  need(have.join() === want.join(), `members ${have}`);
  for (const name of want) need(shape[name](value[name]), name);
  return value;
}

// §3

const KINDS = ["", "intent", "outcome", "snapshot", "later", "batch", "erasure", "incident", "key", "origin"];
const FINISH = is.among("accepted", "deferred", "refused", "failed", "uncertain", "unknown");
const passes = (shape) => (v) => shaped(v, shape) === v;
const reply = maybe(passes({ code: maybe(is.number), enhanced_status_code: maybe(is.text), text: is.text }));
const host = maybe(passes({ name: maybe(is.text), ip: maybe(is.text), port: maybe(is.number) }));
const tls = maybe(passes({ version: is.text, cipher: maybe(is.text), verified: maybe(is.truth) }));

function isTime(text) {
  const shape = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)\.\d{6}Z$/.exec(text);
  if (!shape || shape[1] === "0000") return false;
  const again = new Date(`${text.slice(0, 19)}Z`);
  return !Number.isNaN(again.getTime()) && again.toISOString().slice(0, 19) === text.slice(0, 19);
}

const EVENT = { schema_version: (v) => v === 1, kind: is.text, dispatch: is.hex(16), at: (v) => is.text(v) && isTime(v) };
const EVENTS = {
  intent: {
    sending: is.hex(16), account: is.text, reverse_path: is.text, forward_path: is.text, next_hop: is.text, channel: is.text,
    message_id: maybe(is.text), subject: maybe(is.text), author_domain: maybe(is.text), size: (v) => is.number(v) && v >= 0,
    sha256: is.hex(32), signatures: is.lists(2), hop: is.among("recipient-mx", "relay"),
  },
  outcome: {
    finish: FINISH, detail: is.text, stage: maybe(is.text), local_ip: maybe(is.text), helo: maybe(is.text),
    remote_queue_id: maybe(is.text), certificate_sha256: maybe(is.hex(32)), transcript_sha256: maybe(is.hex(32)),
    reply, rcpt_reply: reply, relay: host, tls,
  },
  snapshot: { observations: (v) => is.list(v) && v.every(is.object), verified: is.lists(3) },
  later: {
    event: is.text, detail: is.text, finish: maybe(FINISH), level: maybe(is.among("accepted", "delivered", "displayed")),
    witness: maybe(is.text), reply, relay: host, exhibit_sha256: maybe(is.hex(32)),
  },
};

function readBody(octets) {
  const positive = (v) => is.number(v) && v >= 1;
  const body = shaped(canonical(octets), {
    account: maybe(is.text), event: is.object, kind: is.among(...KINDS.slice(1)), origin: is.text,
    previous: maybe(is.hex(32)), schema_version: (v) => v === 1, sequence: maybe(positive),
  });
  need((body.account === null) === (body.sequence === null), "place");
  need((body.previous === null) === (body.sequence === null || body.sequence === 1), "link");
  return body;
}

function readLeaf(octets) {
  need(octets[0] === 1 && octets[1] >= 1 && octets[1] <= 9, "leaf");
  return { kind: KINDS[octets[1]], reference: octets.readBigUInt64BE(2) - 1n, commitment: octets.subarray(10) };
}

// §4

const NAME = String.raw`[^\p{White_Space}+\x00-\x1f\x7f]{1,255}`;

function readKey(text) {
  need(text.length <= 65536, "key");
  const parts = new RegExp(`^(${NAME})\\+([0-9a-f]{8})\\+([A-Za-z0-9+/]{4,8192}={0,2})$`, "u").exec(text);
  need(parts && is.base64(parts[3]), "key");
  const octets = Buffer.from(parts[3], "base64");
  need(octets.length === 33 && octets[0] === 1, "algorithm");
  need(sha(parts[1], "\n", octets).toString("hex", 0, 4) === parts[2], "key id");
  const spki = Buffer.concat([Buffer.from("302a300506032b6570032100", "hex"), octets.subarray(1)]);
  return { name: parts[1], id: parts[2], key: createPublicKey({ key: spki, format: "der", type: "spki" }) };
}

function readHead(octets) {
  need(octets.length <= 65536, "note length");
  const text = unicode(octets);
  need(!/[\x00-\x09\x0b-\x1f]/.test(text), "control");
  const cut = text.lastIndexOf("\n\n");
  need(cut > 0 && text.endsWith("\n") && cut + 2 < text.length, "note");
  const lines = text.slice(cut + 2, -1).split("\n");
  need(lines.length <= 16, "signatures");
  const signatures = lines.map((line) => {
    const found = new RegExp(`^— (${NAME}) ([A-Za-z0-9+/]{8,8192}={0,2})$`, "u").exec(line);
    need(found && is.base64(found[2]), "signature line");
    const blob = Buffer.from(found[2], "base64");
    need(blob.length > 4, "signature");
    return { name: found[1], id: blob.toString("hex", 0, 4), blob: blob.subarray(4) };
  });
  need(new Set(signatures.map((s) => `${s.name} ${s.id}`)).size === lines.length, "twice");
  const head = /^([!-*,-~]{1,255})\n(0|[1-9]\d{0,18})\n([A-Za-z0-9+/]{43}=)\n$/.exec(text.slice(0, cut + 1));
  need(head && is.base64(head[3]), "three lines");
  const [size, root] = [BigInt(head[2]), Buffer.from(head[3], "base64")];
  need(size < 2n ** 63n && (size > 0n || root.equals(sha(""))), "size");
  return { origin: head[1], size, root, signed: Buffer.from(head[0]), signatures };
}

function signed(head, key) {
  const line = head.signatures.find((s) => s.name === key.name && s.id === key.id);
  try {
    return line !== undefined && verifySignature(null, head.signed, key.key, line.blob);
  } catch {
    return false;
  }
}

// §2

function readBundle(octets) {
  need(octets.length <= 64 * 2 ** 20, "length");
  if (!octets.includes("dispatch-evidence")) throw new Foreign();
  const value = canonical(octets);
  if (!is.object(value) || value.kind !== "dispatch-evidence") throw new Foreign();
  if (is.number(value.schema_version) && value.schema_version > 1) throw new Foreign();
  const many = (most, test) => (v) => is.list(v) && v.length <= most && v.every(test);
  const note = (v) => is.text(v) && Buffer.byteLength(v) <= 65536;
  const entry = {
    number: is.number, leaf: is.hex(42), salt: maybe(is.hex(32)),
    record: maybe((v) => is.text(v) && Buffer.byteLength(v) <= 1056768), proof: proofOf,
  };
  return shaped(value, {
    kind: is.text, schema_version: (v) => v === 1, origin: is.text, keys: many(16, is.text), checkpoint: note,
    entries: many(10000, (v) => shaped(v, entry) && (v.salt === null) === (v.record === null)),
    tokens: many(16, (v) => is.base64(v) && Buffer.from(v, "base64").length <= 65536),
    continuations: many(16, passes({ checkpoint: note, proof: proofOf })),
    files: many(64, passes({
      name: is.matching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/),
      media_type: is.matching(/^[a-z0-9][a-z0-9.+-]{0,60}\/[a-z0-9][a-z0-9.+-]{0,60}$/),
      content: is.base64,
    })),
  });
}

// §5

const node = (left, right) => sha(Buffer.of(1), left, right);
const unhex = (list) => list.map((one) => Buffer.from(one, "hex"));

function climb(fn, sn, steps, onLeft, onRight) {
  for (const step of steps) {
    if (sn === 0n) return false;
    if (fn % 2n === 1n || fn === sn) {
      onLeft(step);
      while (fn % 2n === 0n && fn !== 0n) [fn, sn] = [fn / 2n, sn / 2n];
    } else {
      onRight(step);
    }
    [fn, sn] = [fn / 2n, sn / 2n];
  }
  return sn === 0n;
}

function isIncluded(hash, number, head, proof) {
  if (number < 0n || number >= head.size) return false;
  let r = hash;
  const done = climb(number, head.size - 1n, proof, (p) => { r = node(p, r); }, (p) => { r = node(r, p); });
  return done && r.equals(head.root);
}

function isContinued(one, other, proof) {
  const [old, now] = one.size <= other.size ? [one, other] : [other, one];
  if (old.size === now.size) return !proof.length && old.root.equals(now.root);
  if (old.size === 0n) return !proof.length && old.root.equals(sha(""));
  if (!proof.length) return false;
  const path = (old.size & (old.size - 1n)) === 0n ? [old.root, ...proof] : [...proof];
  let [fn, sn] = [old.size - 1n, now.size - 1n];
  while (fn % 2n === 1n) [fn, sn] = [fn / 2n, sn / 2n];
  let fr = path[0], sr = path[0];
  const done = climb(fn, sn, path.slice(1), (c) => { fr = node(c, fr); sr = node(c, sr); }, (c) => { sr = node(sr, c); });
  return done && fr.equals(old.root) && sr.equals(now.root);
}

// RFC 3161, as far as the imprint; the authority is not judged here.

function der(octets) {
  const found = [];
  for (let at = 0; at < octets.length;) {
    let length = octets[at + 1], head = 2;
    need(length !== undefined && length !== 0x80, "DER");
    if (length > 0x80) {
      const width = length - 0x80;
      need(width <= 3 && at + 2 + width <= octets.length, "DER");
      length = octets.readUIntBE(at + 2, width);
      need(length >= (width === 1 ? 128 : 2 ** (8 * (width - 1))), "DER");
      head += width;
    }
    need(at + head + length <= octets.length, "DER");
    found.push({ tag: octets[at], in: octets.subarray(at + head, at + head + length) });
    at += head + length;
  }
  return found;
}

function checkToken(token, over) {
  const step = (element, tag) => {
    need(element?.tag === tag, "RFC 3161");
    return der(element.in);
  };
  const [response, ...more] = der(token);
  need(!more.length, "RFC 3161");
  const [status, content] = step(response, 0x30);
  need(step(status, 0x30)[0]?.in.toString("hex") === "00", "refused");
  const [kind, explicit] = step(content, 0x30);
  need(kind?.tag === 6 && kind.in.toString("hex") === "2a864886f70d010702", "RFC 3161");
  const encapsulated = step(step(step(explicit, 0xa0)[0], 0x30)[2], 0x30);
  need(encapsulated[0]?.tag === 6 && encapsulated[0].in.toString("hex") === "2a864886f70d0109100104", "RFC 3161");
  const info = step(step(step(encapsulated[1], 0xa0)[0], 0x04)[0], 0x30);
  const [algorithm, digest] = step(info[2], 0x30);
  need(step(algorithm, 0x30)[0]?.in.toString("hex") === "608648016503040201", "SHA-256");
  need(digest?.tag === 4 && digest.in.equals(sha(over)), "other octets");
  need(info[4]?.tag === 0x18 && /^\d{14}(\.\d{1,9})?Z$/.test(info[4].in.toString("latin1")), "time");
}

// §6

export function verify(octets, keyTexts = [], heads = []) {
  const findings = [];
  const say = (step, held, code) => findings.push([step, held, code]);
  const tell = () => {
    const verdict = findings.some(([, , code]) => code === "form-other") ? "other"
      : findings.some(([, held]) => held === "failed") ? "tampered"
      : ["form-good", "records-good", "inclusion-good", "signature-good"].every((c) => findings.some(([, , code]) => code === c)) ? "complete"
      : "open";
    return { verdict, findings };
  };
  const trusted = keyTexts.map(readKey); // the verifier's own: a bad one is a mistake of his
  let bundle, head;
  try {
    bundle = readBundle(octets);
    head = readHead(Buffer.from(bundle.checkpoint));
  } catch (problem) {
    if (problem instanceof Foreign) say("form", "undecided", "form-other");
    else if (problem instanceof Damaged) say("form", "failed", "form-bad");
    else throw problem;
    return tell();
  }
  say("form", "shown", "form-good");

  const entries = bundle.entries.map((e) => ({ ...e, leaf: Buffer.from(e.leaf, "hex"), proof: unhex(e.proof) }));
  const bodies = new Map(), events = new Map();
  if (!entries.length) say("records", "absent", "records-none");
  else {
    if (entries.some((e, i) => i > 0 && e.number <= entries[i - 1].number)) say("records", "failed", "records-order");
    let bad = 0;
    for (const e of entries) {
      try {
        const leaf = readLeaf(e.leaf);
        if (e.record === null) continue;
        const record = Buffer.from(e.record);
        need(sha("dispatch-evidence/v1\0", Buffer.from(e.salt, "hex"), record).equals(leaf.commitment), "commitment");
        const body = readBody(record);
        need(body.origin === head.origin && body.kind === leaf.kind, "origin or kind");
        bodies.set(e.number, { leaf, body });
        if (leaf.kind in EVENTS) {
          const own = is.text(body.event.kind) && Object.hasOwn(EVENTS, body.event.kind) ? EVENTS[body.event.kind] : null;
          need(own !== null, "kind of event");
          events.set(e.number, shaped(body.event, { ...EVENT, ...own }));
        }
      } catch (problem) {
        if (!(problem instanceof Damaged)) throw problem;
        bad += 1;
        if (bad <= 3) say("records", "failed", "record-bad");
      }
    }
    if (entries.every((e) => e.record === null)) say("records", "absent", "records-erased");
    else if (!bad) say("records", "shown", "records-good");
    if (bundle.origin !== head.origin) say("inclusion", "failed", "origin-differs");
    else if (!entries.every((e) => isIncluded(sha(Buffer.of(0), e.leaf), BigInt(e.number), head, e.proof))) say("inclusion", "failed", "inclusion-bad");
    else say("inclusion", "shown", "inclusion-good");
  }

  const own = bundle.keys.map((text) => {
    try {
      return readKey(text);
    } catch (problem) {
      if (problem instanceof Damaged) return null;
      throw problem;
    }
  });
  const signs = (key) => key !== null && key.name === head.origin && signed(head, key);
  if (trusted.some(signs)) say("signature", "shown", "signature-good");
  else if (trusted.length) say("signature", "failed", "signature-bad");
  else if (own.includes(null)) say("signature", "failed", "keys-bad");
  else if (own.some(signs)) say("signature", "undecided", "signature-own-key");
  else say("signature", "failed", "signature-none");

  if (!bundle.tokens.length) say("time", "absent", "time-none");
  for (const token of bundle.tokens) {
    try {
      checkToken(Buffer.from(token, "base64"), bundle.checkpoint);
      say("time", "undecided", "time-no-root");
    } catch (problem) {
      if (!(problem instanceof Damaged)) throw problem;
      say("time", "failed", "time-bad");
    }
  }

  const of = (kind) => [...events].filter(([, event]) => event.kind === kind);
  const misplaced = [...events].filter(([number, event]) => {
    if (event.kind === "intent") return false;
    const about = bodies.get(number).leaf.reference;
    if (about < 0n || about >= BigInt(number)) return true;
    const intent = events.get(Number(about));
    return intent !== undefined && intent.kind === "intent" && intent.dispatch !== event.dispatch;
  });
  const settled = of("outcome").map(([, event]) => event.dispatch);
  if (misplaced.length) say("pairs", "failed", "pairs-bad");
  else if (!of("intent").length) say("pairs", "absent", "pairs-none");
  else say("pairs", "shown", of("intent").every(([, event]) => settled.includes(event.dispatch)) ? "pairs-good" : "pairs-open");

  const leafHashes = new Map(entries.map((e) => [e.number, sha(Buffer.of(0), e.leaf).toString("hex")]));
  for (const account of new Set([...bodies.values()].map(({ body }) => body.account))) {
    if (account === null) continue;
    const mine = [...bodies].filter(([, { body }]) => body.account === account);
    const neighbours = mine.slice(1).map(([, { body }], i) => ({
      apart: body.sequence - mine[i][1].body.sequence,
      linked: body.previous === leafHashes.get(mine[i][0]),
    }));
    if (neighbours.some((n) => n.apart < 1 || (n.apart === 1 && !n.linked))) say("sequence", "failed", "sequence-bad");
    else if (neighbours.some((n) => n.apart > 1)) say("sequence", "absent", "sequence-gap");
    else say("sequence", "shown", "sequence-good");
  }

  const digests = [...of("intent").map(([, e]) => e.sha256), ...of("outcome").map(([, e]) => e.transcript_sha256), ...of("later").map(([, e]) => e.exhibit_sha256)];
  if (!bundle.files.length) say("files", "absent", "files-none");
  for (const file of bundle.files) {
    const good = digests.includes(sha(Buffer.from(file.content, "base64")).toString("hex"));
    say("files", good ? "shown" : "failed", good ? "file-good" : "file-bad");
  }

  for (const held of heads) {
    let other;
    try {
      other = readHead(held);
    } catch {
      say("later", "undecided", "later-unreadable");
      continue;
    }
    if (other.origin !== head.origin) say("later", "undecided", "later-other-log");
    else if (![...trusted, ...own].some((key) => key !== null && signed(other, key))) say("later", "undecided", "later-unsigned");
    else if (other.size === head.size) {
      const alike = other.root.equals(head.root);
      say("later", alike ? "shown" : "failed", alike ? "later-same" : "later-fork");
    } else {
      const proofs = bundle.continuations.filter((c) => {
        try {
          const at = readHead(Buffer.from(c.checkpoint));
          return at.origin === other.origin && at.size === other.size && at.root.equals(other.root);
        } catch {
          return false;
        }
      });
      if (!proofs.length) say("later", "undecided", "later-no-proof");
      else {
        const good = proofs.some((c) => isContinued(other, head, unhex(c.proof)));
        say("later", good ? "shown" : "failed", good ? "later-good" : "later-fork");
      }
    }
  }
  return tell();
}

function main(words) {
  if (words[0] === "--batch") {
    for (const line of readFileSync(0, "utf8").split("\n").filter((one) => one)) {
      const asked = JSON.parse(line);
      const heads = (asked.heads ?? []).map((head) => Buffer.from(head, "base64"));
      process.stdout.write(`${JSON.stringify(verify(Buffer.from(asked.bundle, "base64"), asked.keys, heads))}\n`);
    }
    return 0;
  }
  const [file, keys, heads] = [words.shift(), [], []];
  while (words.length) {
    const option = words.shift();
    if (option === "--key") keys.push(words.shift());
    else if (option === "--checkpoint") heads.push(readFileSync(words.shift()));
    else return 2;
  }
  const done = verify(readFileSync(file), keys, heads);
  for (const [step, held, code] of done.findings) process.stdout.write(`${step} ${held} ${code}\n`);
  process.stdout.write(`${done.verdict}\n`);
  return { complete: 0, open: 3, tampered: 5, other: 6 }[done.verdict];
}

process.exitCode = main(process.argv.slice(2));
