"use strict";
// Time-stamps of RFC 3161 in CMS signed data (RFC 5652), with WebCrypto: whether an authority's signature holds, by which
// certificate, and whether the reader's own root vouches for that certificate, all as of the token's own time.
// Every structure is read strictly; what this cannot judge is said to be so (Unable), and never passes.
globalThis.timeStamps = ({ Bad, Lacking, decode, hash, hex, join, same, subtle, verifyEd25519 }) => {
  const MAX_CERTIFICATES = 16;
  const MAX_CHAIN = 4; // certificates above the authority's
  const MAX_ROOTS = 1 << 20;

  class Unable extends Error {} // a method that this page, or this browser, does not know

  const OID = {
    "2a864886f70d010702": "signedData",
    "2a864886f70d0109100104": "tstInfo",
    "2a864886f70d010903": "contentType",
    "2a864886f70d010904": "messageDigest",
    "2a864886f70d010910020c": "signingCertificate",
    "2a864886f70d010910022f": "signingCertificateV2",
    "2b0e03021a": "SHA-1",
    "608648016503040201": "SHA-256",
    "608648016503040202": "SHA-384",
    "608648016503040203": "SHA-512",
    "2a864886f70d010101": "rsa",
    "2a864886f70d01010b": "rsa SHA-256",
    "2a864886f70d01010c": "rsa SHA-384",
    "2a864886f70d01010d": "rsa SHA-512",
    "2a864886f70d01010a": "pss",
    "2a864886f70d010108": "mgf1",
    "2a8648ce3d0201": "ec",
    "2a8648ce3d040302": "ecdsa SHA-256",
    "2a8648ce3d040303": "ecdsa SHA-384",
    "2a8648ce3d040304": "ecdsa SHA-512",
    "2b6570": "ed25519",
    "2a8648ce3d030107": "P-256",
    "2b81040022": "P-384",
    "2b81040023": "P-521",
    "551d0f": "keyUsage",
    "551d13": "basicConstraints",
    "551d25": "extKeyUsage",
    "551d20": "certificatePolicies",
    "2b06010505070308": "timeStamping",
  };
  const FIELD = { "P-256": 32, "P-384": 48, "P-521": 66 };

  // --- DER (X.690 §10): definite lengths in their one spelling ---

  /** The elements between two places: tag, whole encoding, content. */
  function parts(octets, start = 0, end = octets.length) {
    const found = [];
    let place = start;
    while (place < end) {
      const tag = octets[place];
      let length = octets[place + 1];
      let header = 2;
      if (place + 2 > end || (tag & 0x1f) === 0x1f) throw new Bad("not DER");
      if (length & 0x80) {
        const more = length & 0x7f;
        if (more < 1 || more > 3 || place + 2 + more > end) throw new Bad("not DER");
        length = octets.slice(place + 2, place + 2 + more).reduce((sum, octet) => sum * 256 + octet, 0);
        if (length < 128 || (more > 1 && octets[place + 2] === 0)) throw new Bad("not DER");
        header += more;
      }
      const after = place + header + length;
      if (after > end || found.length >= 64) throw new Bad("not DER");
      found.push({ tag, whole: octets.slice(place, after), content: octets.slice(place + header, after) });
      place = after;
    }
    return found;
  }

  const odd = () => {
    throw new Bad("not a time-stamp response of RFC 3161");
  };

  function only(octets, tag) {
    const found = parts(octets);
    if (found.length !== 1 || found[0].tag !== tag) odd();
    return found[0];
  }

  const inside = (part, tag) => (part && part.tag === tag ? parts(part.content) : odd());

  function oid(part) {
    if (!part || part.tag !== 6) odd();
    return OID[hex(part.content)] ?? `OID ${hex(part.content).slice(0, 40)}`;
  }

  const isOid = (part, name) => oid(part) === name || odd();

  function small(part, among) {
    if (!part || part.tag !== 2 || part.content.length !== 1 || !among.includes(part.content[0])) odd();
    return part.content[0];
  }

  /** A method that has no parameters, or NULL for them. */
  function plainMethod(part) {
    const [name, none, ...more] = inside(part, 0x30);
    if (more.length || (none && hex(none.whole) !== "0500")) odd();
    return oid(name);
  }

  function digestMethod(part) {
    const name = plainMethod(part);
    if (!/^SHA-(256|384|512)$/.test(name)) throw new Unable(name);
    return name;
  }

  /** UTCTime or GeneralizedTime as milliseconds (RFC 5280 §4.1.2.5; RFC 3161 §2.4.2 allows fractions). */
  function instant(part, fractions = false) {
    const text = decode(part.content);
    const form = part.tag === 0x17 ? /^(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/ : /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\.\d{0,8}[1-9])?Z$/;
    const found = part.tag === 0x17 || part.tag === 0x18 ? form.exec(text) : null;
    if (!found || (found[7] && !fractions)) odd();
    const [year, month, day, hour, minute, second] = found.slice(1, 7).map(Number);
    const full = part.tag === 0x17 ? (year < 50 ? 2000 : 1900) + year : year;
    const when = new Date(0);
    when.setUTCFullYear(full, month - 1, day);
    when.setUTCHours(hour, minute, second, found[7] ? Math.floor(Number(`0${found[7]}`) * 1000) : 0);
    if (when.getUTCMonth() !== month - 1 || when.getUTCDate() !== day || hour > 23 || minute > 59 || second > 59) odd();
    return when.getTime();
  }

  // --- certificates (RFC 5280) ---

  function readCertificate(octets) {
    const [tbs, method, signature, ...more] = inside(only(octets, 0x30), 0x30);
    if (more.length || !signature || signature.tag !== 3 || signature.content[0] !== 0) odd();
    const fields = inside(tbs, 0x30);
    if (!fields[0] || fields[0].tag !== 0xa0) throw new Bad("a certificate of an old version");
    small(only(fields[0].content, 2), [2]);
    const [, serial, inner, issuer, validity, subject, key, ...rest] = fields;
    if (!key || serial.tag !== 2 || issuer.tag !== 0x30 || subject.tag !== 0x30 || !same(inner.whole, method.whole)) odd();
    const [from, until, ...others] = inside(validity, 0x30);
    if (!until || others.length) odd();
    return {
      octets, tbs: tbs.whole, method, signature: signature.content.slice(1), serial: serial.content, issuer: issuer.whole,
      subject: subject.whole, from: instant(from), until: instant(until), key: key.whole, ...extensionsOf(rest),
    };
  }

  function extensionsOf(rest) {
    const known = { usage: null, authority: null, longest: null, purpose: null, unknown: [], identifier: null };
    const place = rest.findIndex((part) => part.tag === 0xa3);
    if (place < 0) return known;
    if (place !== rest.length - 1) odd();
    const seen = new Set();
    for (const extension of inside(only(rest[place].content, 0x30), 0x30)) {
      const [name, ...fields] = inside(extension, 0x30);
      const critical = fields.length === 2;
      if (fields.length < 1 || fields.length > 2 || (critical && hex(fields[0].whole) !== "0101ff")) odd();
      const value = fields[fields.length - 1];
      if (value.tag !== 4 || seen.has(hex(name.content))) odd();
      seen.add(hex(name.content));
      const what = hex(name.content) === "551d0e" ? "identifier" : oid(name);
      if (what === "keyUsage") {
        const bits = only(value.content, 3).content;
        if (bits.length < 2 || bits.length > 3) odd();
        known.usage = bits[1];
      } else if (what === "basicConstraints") {
        const found = inside(only(value.content, 0x30), 0x30);
        known.authority = found.length > 0 && hex(found[0].whole) === "0101ff";
        if (found.length > (known.authority ? 2 : 0)) odd();
        if (found[1]) known.longest = small(found[1], Array.from({ length: 128 }, (_, i) => i));
      } else if (what === "extKeyUsage") {
        known.purpose = { critical, all: inside(only(value.content, 0x30), 0x30).map(oid) };
      } else if (what === "identifier") {
        known.identifier = only(value.content, 4).content;
      } else if (critical && what !== "certificatePolicies") {
        known.unknown.push(what);
      }
    }
    return known;
  }

  /** A name for people: the common name, else the organisation, else nothing. */
  function nameOf(certificate) {
    for (const wanted of ["550403", "55040a"]) {
      for (const set of inside(only(certificate.subject, 0x30), 0x30)) {
        for (const pair of inside(set, 0x31)) {
          const [type, value] = inside(pair, 0x30);
          if (type && value && hex(type.content) === wanted && [12, 19, 22].includes(value.tag)) {
            try {
              return decode(value.content).slice(0, 200);
            } catch {
              return "?";
            }
          }
        }
      }
    }
    return "?";
  }

  // --- signatures ---

  /** Key type, curve, and the key itself as the browser takes it. */
  function keyOf(info) {
    const [method, bits, ...more] = inside(only(info, 0x30), 0x30);
    if (more.length || !bits || bits.tag !== 3 || bits.content[0] !== 0) odd();
    const [name, parameter] = inside(method, 0x30);
    const type = oid(name);
    if (type === "ec") return { type, curve: parameter && parameter.tag === 6 ? oid(parameter) : "?", octets: bits.content.slice(1) };
    if (type === "ed25519") return { type, octets: bits.content.slice(1) };
    if (type !== "rsa") throw new Unable(type);
    const modulus = inside(only(bits.content.slice(1), 0x30), 0x30)[0];
    if (!modulus || modulus.tag !== 2) odd();
    const length = 8 * (modulus.content.length - (modulus.content[0] === 0 ? 1 : 0));
    if (length < 2048 || length > 16384) throw new Unable(`RSA ${length}`);
    return { type, octets: info };
  }

  /** Whether a signature of the method that an AlgorithmIdentifier names holds over octets. */
  async function holds(info, method, signature, octets, digest) {
    const key = keyOf(info);
    const [name, ...parameters] = inside(method, 0x30);
    const [way, own] = oid(name).split(" ");
    const hashed = own ?? digest;
    if (way === "ed25519" && key.type === "ed25519" && !parameters.length && key.octets.length === 32) {
      return verifyEd25519(key.octets, signature, octets);
    }
    if (way === "ecdsa" && key.type === "ec" && FIELD[key.curve]) {
      plainMethod(method); // OpenSSL writes NULL where RFC 5758 §3.2 has nothing
      const raw = plainPair(signature, FIELD[key.curve]);
      return raw !== null && ask("raw", key.octets, { name: "ECDSA", namedCurve: key.curve }, { name: "ECDSA", hash: hashed }, raw, octets);
    }
    if (way === "rsa" && key.type === "rsa" && hashed) {
      plainMethod(method);
      const algorithm = { name: "RSASSA-PKCS1-v1_5", hash: hashed };
      return ask("spki", key.octets, algorithm, algorithm, signature, octets);
    }
    if (way === "pss" && key.type === "rsa") {
      const { hash: among, length } = pssOf(parameters);
      return ask("spki", key.octets, { name: "RSA-PSS", hash: among }, { name: "RSA-PSS", saltLength: length }, signature, octets);
    }
    const needed = { ed25519: "ed25519", ecdsa: "ec", rsa: "rsa", pss: "rsa" }[way];
    if (needed && needed !== key.type) return false; // another key than the one that signed
    throw new Unable(oid(name));
  }

  async function ask(form, key, imported, verified, signature, octets) {
    let taken;
    try {
      taken = await subtle().importKey(form, key, imported, false, ["verify"]);
    } catch (problem) {
      if (problem instanceof Lacking) throw problem;
      throw new Unable(`${imported.name} ${imported.namedCurve ?? imported.hash}`);
    }
    return subtle().verify(verified, taken, signature, octets);
  }

  /** ECDSA-Sig-Value as the browser takes it: both numbers at full length; null for what is none. */
  function plainPair(signature, length) {
    let pair;
    try {
      pair = inside(only(signature, 0x30), 0x30);
    } catch (problem) {
      if (problem instanceof Bad) return null;
      throw problem;
    }
    const raw = new Uint8Array(2 * length);
    if (pair.length !== 2) return null;
    for (const [i, part] of pair.entries()) {
      let number = part.content;
      if (part.tag !== 2 || !number.length || number[0] & 0x80 || (number.length > 1 && number[0] === 0 && !(number[1] & 0x80))) return null;
      if (number[0] === 0) number = number.slice(1);
      if (number.length > length) return null;
      raw.set(number, (i + 1) * length - number.length);
    }
    return raw;
  }

  /** RSASSA-PSS-params (RFC 4055 §3.1): one digest for both its uses; the defaults are SHA-1's, which this does not take. */
  function pssOf(parameters) {
    if (parameters.length !== 1) throw new Unable("RSA-PSS SHA-1");
    const fields = inside(parameters[0], 0x30);
    if (fields.length !== 3 || fields.some((part, i) => part.tag !== 0xa0 + i)) throw new Unable("RSA-PSS");
    const among = digestMethod(only(fields[0].content, 0x30));
    const [mask, inner, ...more] = inside(only(fields[1].content, 0x30), 0x30);
    isOid(mask, "mgf1");
    if (more.length || digestMethod(inner) !== among) throw new Unable("RSA-PSS");
    const length = only(fields[2].content, 2).content;
    if (length.length !== 1 || length[0] > 64) throw new Unable("RSA-PSS");
    return { hash: among, length: length[0] };
  }

  // --- the token ---

  /** What a response says, over whose head, and the signature on it; nothing of the signature checked. */
  async function readToken(response, over) {
    const [status, token, ...after] = inside(only(response, 0x30), 0x30);
    const [code] = inside(status, 0x30);
    if (!code || hex(code.whole) !== "020100") throw new Bad("the authority refused to time-stamp");
    const [kind, explicit, ...more] = inside(token, 0x30);
    isOid(kind, "signedData");
    if (after.length || more.length || !explicit || explicit.tag !== 0xa0) odd();
    const [version, methods, encapsulated, ...rest] = inside(only(explicit.content, 0x30), 0x30);
    small(version, [3]);
    const [type, wrapped, ...others] = inside(encapsulated, 0x30);
    isOid(type, "tstInfo");
    if (others.length || !wrapped || wrapped.tag !== 0xa0) odd();
    const content = only(wrapped.content, 4).content;
    const given = rest.filter((part) => part.tag === 0xa0);
    const signers = rest.filter((part) => part.tag === 0x31);
    const order = rest.map((part) => part.tag).join();
    if (!["49", "160,49", "160,161,49", "161,49"].includes(order)) odd();
    const signer = only(signers[0].content, 0x30);
    const certificates = given.length ? parts(given[0].content).map((part) => part.whole) : [];
    if (certificates.length > MAX_CERTIFICATES) throw new Bad("a time-stamp with too many certificates");
    const at = await readInfo(content, over);
    return { at, content, certificates, signer, methods: inside(methods, 0x31).map(digestMethod) };
  }

  async function readInfo(content, over) {
    const [version, policy, imprint, serial, time] = inside(only(content, 0x30), 0x30);
    small(version, [1]);
    oid(policy);
    const [method, digest, ...more] = inside(imprint, 0x30);
    isOid(inside(method, 0x30)[0], "SHA-256");
    plainMethod(method);
    if (more.length || !digest || digest.tag !== 4 || !serial || serial.tag !== 2 || !time || time.tag !== 0x18) odd();
    if (!same(digest.content, await hash("SHA-256", over))) throw new Bad("the time-stamp is over other octets");
    return instant(time, true);
  }

  /** The signer's part (RFC 5652 §5.3), its attributes each once with one value. */
  function readSigner(part) {
    const [version, who, method, attributes, signing, signature, ...more] = parts(part.content);
    const byIssuer = who && who.tag === 0x30;
    small(version, [byIssuer ? 1 : 3]);
    if (!signature || signature.tag !== 4 || attributes.tag !== 0xa0 || more.some((one) => one.tag !== 0xa1) || more.length > 1) odd();
    if (!byIssuer && who.tag !== 0x80) odd();
    const found = new Map();
    for (const attribute of parts(attributes.content)) {
      const [type, values, ...others] = inside(attribute, 0x30);
      const name = oid(type);
      const all = inside(values, 0x31);
      if (others.length || all.length !== 1 || found.has(name)) odd();
      found.set(name, all[0]);
    }
    // What is signed is the set with its own tag, not the one that it has inside the signer's part.
    const signed = join(Uint8Array.of(0x31), attributes.whole.slice(1));
    return { who, byIssuer, digest: digestMethod(method), attributes: found, signed, signing, signature: signature.content };
  }

  function isNamed(signer, certificate) {
    if (!signer.byIssuer) return certificate.identifier !== null && same(signer.who.content, certificate.identifier);
    const [issuer, serial, ...more] = parts(signer.who.content);
    if (more.length || !serial || serial.tag !== 2) odd();
    return same(issuer.whole, certificate.issuer) && same(serial.content, certificate.serial);
  }

  /** RFC 5035 §5: the signed attribute names the signer's certificate by its digest. */
  async function isBound(attributes, certificate) {
    const second = attributes.get("signingCertificateV2");
    const named = second ?? attributes.get("signingCertificate");
    if (!named) return false;
    const first = inside(inside(named, 0x30)[0], 0x30)[0];
    let fields = inside(first, 0x30);
    let method = second ? "SHA-256" : "SHA-1";
    if (second && fields[0] && fields[0].tag === 0x30) {
      method = digestMethod(fields[0]);
      fields = fields.slice(1);
    }
    const [digest, place, ...more] = fields;
    if (more.length || !digest || digest.tag !== 4 || !same(digest.content, await hash(method, certificate.octets))) return false;
    if (!place) return true;
    const [names, serial] = inside(place, 0x30);
    const [name, ...others] = inside(names, 0x30);
    const issuer = name && name.tag === 0xa4 ? only(name.content, 0x30) : odd();
    return !others.length && same(issuer.whole, certificate.issuer) && serial.tag === 2 && same(serial.content, certificate.serial);
  }

  function checkPurpose(certificate) {
    const { purpose, usage, unknown } = certificate;
    if (!purpose || !purpose.critical || purpose.all.length !== 1 || purpose.all[0] !== "timeStamping") {
      throw new Bad("a certificate whose one purpose is not time-stamping signed it");
    }
    if (usage !== null && !(usage & 0xc0)) throw new Bad("a certificate that is not for signing signed it");
    if (unknown.length) throw new Unable(unknown[0]);
  }

  function checkTime(certificate, at) {
    if (at < certificate.from || at > certificate.until) throw new Bad("a certificate was not valid at the time that the time-stamp says");
  }

  /** The authority's certificate; Bad unless its signature stands under the time-stamp. */
  async function signerOf(token) {
    const signer = readSigner(token.signer);
    if (!token.methods.includes(signer.digest)) odd();
    const { attributes } = signer;
    if (!attributes.get("contentType") || oid(attributes.get("contentType")) !== "tstInfo") odd();
    const digest = attributes.get("messageDigest");
    if (!digest || digest.tag !== 4 || !same(digest.content, await hash(signer.digest, token.content))) {
      throw new Bad("the authority signed something else");
    }
    if (!token.certificates.length) throw new Unable("a time-stamp without certificates");
    const read = token.certificates.map(readCertificate);
    const named = read.filter((certificate) => isNamed(signer, certificate));
    if (named.length !== 1) throw new Bad("the time-stamp does not bring the certificate of its authority");
    const [certificate] = named;
    if (!(await isBound(attributes, certificate))) throw new Bad("the time-stamp is bound to another certificate");
    checkPurpose(certificate);
    checkTime(certificate, token.at);
    if (!(await holds(certificate.key, signer.signing, signer.signature, signer.signed, signer.digest))) {
      throw new Bad("the authority's signature does not hold");
    }
    return { certificate, others: read.filter((one) => one !== certificate) };
  }

  /** Whether certificates lead to one of the reader's: by signature, as authorities, valid then. */
  async function isVouched(certificate, others, trusted, at, above = 0) {
    for (const root of trusted) if (same(root.octets, certificate.octets)) return true;
    if (above === MAX_CHAIN) return false;
    const known = [...trusted, ...others.filter((one) => !trusted.some((root) => same(root.octets, one.octets)))];
    for (const issuer of known.filter((one) => same(one.subject, certificate.issuer))) {
      const mayIssue = issuer.authority && (issuer.usage === null || issuer.usage & 0x04);
      const forThis = !issuer.purpose || issuer.purpose.all.includes("timeStamping");
      if (!mayIssue || !forThis || (issuer.longest !== null && issuer.longest < above)) continue;
      if (issuer.unknown.length) throw new Unable(issuer.unknown[0]);
      if (at < issuer.from || at > issuer.until) continue;
      if (!(await holds(issuer.key, certificate.method, certificate.signature, certificate.tbs))) continue;
      const left = others.filter((one) => one !== issuer);
      if (await isVouched(issuer, left, trusted, at, above + 1)) return true;
    }
    return false;
  }

  /**
   * What a time-stamp over these octets shows: `at`, `authority`; `vouched` whether one of the reader's roots, or a
   * certificate in the token whose SHA-256 the reader named, stands above the authority's; `unable` what kept this page from judging.
   */
  async function verifyToken(response, over, roots, fingerprints) {
    const token = await readToken(response, over);
    const when = new Date(token.at).toISOString();
    const told = { when: `${when.slice(0, 19)}+00:00`, authority: null, vouched: false, unable: null };
    try {
      const { certificate, others } = await signerOf(token);
      told.authority = nameOf(certificate);
      const trusted = roots.map(readCertificate);
      for (const one of [certificate, ...others]) {
        if (fingerprints.includes(hex(await hash("SHA-256", one.octets)))) trusted.push(one);
      }
      told.vouched = await isVouched(certificate, others, trusted, token.at);
    } catch (problem) {
      if (!(problem instanceof Unable)) throw problem;
      told.unable = problem.message;
    }
    return told;
  }

  // --- what the reader gives ---

  /** The certificates of a file, PEM or DER; Bad for a file of anything else. */
  function readRoots(octets) {
    if (octets.length > MAX_ROOTS) throw new Bad("a file of roots is at most 1 MiB");
    let found = [octets];
    if (octets[0] !== 0x30) {
      const text = decode(octets);
      const blocks = [...text.matchAll(/-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]{1,65536})-----END CERTIFICATE-----/g)];
      found = blocks.slice(0, 64).map((block) => {
        try {
          return Uint8Array.from(atob(block[1].replace(/\s+/g, "")), (letter) => letter.charCodeAt(0));
        } catch {
          throw new Bad("not a certificate");
        }
      });
    }
    if (!found.length) throw new Bad("not a certificate");
    found.forEach(readCertificate);
    return found;
  }

  /** SHA-256 of certificates, as openssl and browsers write it, with colons or without. */
  function readFingerprints(text) {
    return text.split(/[\s,]+/).filter((word) => word).map((word) => {
      const digits = word.replace(/^sha-?256(?: fingerprint)?[=:]/i, "").replace(/:/g, "").toLowerCase();
      if (!/^[0-9a-f]{64}$/.test(digits)) throw new Bad("not a fingerprint");
      return digits;
    });
  }

  return { verifyToken, readRoots, readFingerprints };
};
