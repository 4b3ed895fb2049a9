"""Which container a log is wrapped in, told by its first octets, and the stream of what is in it."""

from collections.abc import Callable, Iterator
from typing import Any

from deliverability.capture.decoders.plain import is_plain
from deliverability.capture.decoders.streams import Ahead, Decoded, Stream, beginning

HEAD = 64 << 10  # octets by which a container is recognised

Unwrap = Callable[[Stream], Iterator[bytes]]
_BOM = b"\xef\xbb\xbf"


def unwrapped(head: bytes, stream: Stream) -> tuple[Stream, tuple[str, ...]]:
    """What is in a stream that begins with ``head`` and goes on in ``stream``, and the names of what was taken off.

    A stream of plain lines comes back as it was, with no name.
    """
    from deliverability.capture.decoders import utf16

    if encoding := utf16.encoding_of(head):
        found, names = _structured(*beginning(Decoded(utf16.text(Ahead(head, stream), encoding)), HEAD))
        return found, (*names, encoding[:6].upper())
    return _structured(head, stream)


def _structured(head: bytes, stream: Stream) -> tuple[Stream, tuple[str, ...]]:
    if len(head) >= HEAD - len(_BOM) and head.removeprefix(_BOM).lstrip(b" \t\r\n")[:1] in (b"{", b"["):
        head, stream = _first_record(head, stream)
    bare = head.removeprefix(_BOM)
    if bare[:200].lstrip().startswith(b"<"):
        from deliverability.capture.decoders import pages

        if pages.is_page(bare):  # once: what a page's text says of tags is text
            found, names = _contained(*beginning(Decoded(pages.text_lines(Ahead(bare, stream))), HEAD))
            return found, (*names, "HTML")
    found, names = _contained(bare, stream)
    if names:
        return found, names
    if len(bare) < len(head) and is_plain(bare):
        return found, ("byte order mark",)
    return Ahead(head, stream), ()


def _contained(head: bytes, stream: Stream) -> tuple[Stream, tuple[str, ...]]:
    found = _container(head)
    if found is None:
        return Ahead(head, stream), ()
    name, unwrap = found
    return Decoded(unwrap(Ahead(head, stream))), (name,)


def _first_record(head: bytes, stream: Stream) -> tuple[bytes, Stream]:
    """As much more of JSON as shows its first record, which may hold the whole text of a notice."""
    from deliverability.capture.decoders.json_rows import MAX_LONG_ROW, begins_long

    if not begins_long(head.removeprefix(_BOM)):
        return head, stream
    return beginning(Ahead(head, stream), MAX_LONG_ROW)


def _container(head: bytes) -> tuple[str, Unwrap] | None:
    first = head.lstrip(b" \t\r\n\x1e")[:6]
    if first.startswith((b"{", b"[", b"data: ")):
        found = _json(head, journal=head.startswith((b"\x1e", b"data: ")))
        if found or first.startswith((b"{", b"data: ")):
            return found
    from deliverability.capture.decoders import delimited, journal, listed, verbose

    if journal.is_export(head):
        return "journal export", journal.export_lines
    if verbose.is_verbose(head):
        return "verbose journal", verbose.entry_lines
    if names := listed.names_of(head):
        return "Format-List", lambda stream: listed.record_lines(stream, names)
    if table := delimited.table_of(head):
        name = "TSV" if table.delimiter == "\t" else "CSV"
        return name, lambda stream: delimited.row_lines(stream, table)
    return None if is_plain(head) else _paste(head, listed=first.startswith(b"["))


def _paste(head: bytes, *, listed: bool) -> tuple[str, Unwrap] | None:
    from deliverability.capture.decoders import pasted

    shape = pasted.shape_of(head, complete=len(head) < HEAD - len(_BOM))
    if shape is not None and (shape.prefix or shape.markup.boarded or not listed):
        return "pasted lines", lambda stream: pasted.plain_lines(stream, shape)
    return None


def _json(head: bytes, *, journal: bool) -> tuple[str, Unwrap] | None:
    from deliverability.capture.decoders import json_rows, ndjson
    from deliverability.protocols.wrapped import layout_of

    if b'"resultType"' in head[:512] and (streams := _streams(head)):
        return streams
    records, document = ndjson.sample_of(head)
    layout = layout_of(records) if records else None
    if layout is None and json_rows.are_rows(records):
        return ("JSON", json_rows.row_documents) if document else ("NDJSON", json_rows.row_lines)
    if layout is None:
        return _reordered(records, document=document)
    if document:
        return "JSON", lambda stream: ndjson.document_lines(stream, layout)
    name = "journal JSON" if journal or b'"__REALTIME_TIMESTAMP"' in head else "NDJSON"
    return name, lambda stream: ndjson.record_lines(stream, layout)


def _reordered(records: list[dict[str, Any]], *, document: bool) -> tuple[str, Unwrap] | None:
    """Records of a mail server's own that another program wrote anew."""
    from deliverability.capture.decoders import reordered

    if not records or not reordered.are_records(records, document=document):
        return None
    return ("JSON", reordered.record_documents) if document else ("NDJSON", reordered.record_lines)


def _streams(head: bytes) -> tuple[str, Unwrap] | None:
    from deliverability.capture.decoders import loki

    layout = loki.layout_in(head)
    return ("JSON", lambda stream: loki.stream_lines(stream, layout)) if layout else None
