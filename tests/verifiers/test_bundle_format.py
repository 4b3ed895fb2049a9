"""``docs/schema/bundle.v1.json`` describes real bundles, and nothing that the program refuses for its shape."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import sealed_bundles
from sealed_bundles import World

from deliverability.errors import ParseError
from deliverability.ledger import verify as verifying
from deliverability.ledger.bundle import parse_bundle
from deliverability.ledger.verify import Finding, Step
from deliverability.protocols import canonical

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return sealed_bundles.make(tmp_path_factory.mktemp("sealed"))


@pytest.fixture(scope="module")
def schema() -> jsonschema.Draft202012Validator:
    schema = json.loads((DOCS / "schema" / "bundle.v1.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def test_every_bundle_fits(world: World, schema: jsonschema.Draft202012Validator) -> None:
    for name, content in world.good.items():
        assert [e.message for e in schema.iter_errors(json.loads(content))] == [], name


def without(path: tuple[Any, ...]) -> Any:
    def change(value: Any) -> None:
        for step in path[:-1]:
            value = value[step]
        del value[path[-1]]

    return change


def put(path: tuple[Any, ...], new: object) -> Any:
    def change(value: Any) -> None:
        for step in path[:-1]:
            value = value[step]
        value[path[-1]] = new

    return change


BAD = [
    *(
        without((name,))
        for name in ("kind", "origin", "keys", "checkpoint", "entries", "tokens", "continuations", "files")
    ),
    *(without(("entries", 0, name)) for name in ("number", "leaf", "salt", "record", "proof")),
    put(("other",), 1),
    put(("entries", 0, "other"), 1),
    put(("files", 0, "other"), 1),
    put(("schema_version",), 2),
    put(("kind",), "x"),
    put(("entries", 0, "salt"), None),
    put(("entries", 0, "number"), "1"),
    put(("entries", 0, "leaf"), "00"),
    put(("entries", 0, "proof", 0), "AB" * 32),
    put(("tokens",), ["AAA"]),
    put(("files", 0, "name"), "../x"),
    put(("files", 0, "media_type"), "x"),
    put(("keys",), [""] * 17),
    put(("checkpoint",), "x"),
]


@pytest.mark.parametrize("change", BAD)
def test_what_is_of_another_shape_is_refused_by_both(
    world: World, schema: jsonschema.Draft202012Validator, change: Any
) -> None:
    value = json.loads(world.good["customer"])
    change(value)
    assert not schema.is_valid(value)
    assert verifying.verify_bundle(canonical.to_bytes(value)).findings[0].step is Step.FORM
    assert not verifying.verify_bundle(canonical.to_bytes(value)).complete


def test_the_page_names_every_code_and_every_member(world: World) -> None:
    page = (DOCS / "bundle-format.md").read_text()
    found: list[Finding] = []
    for content in world.good.values():
        found += verifying.verify_bundle(content, held_heads=list(world.heads.values())).findings
    assert {f.code for f in found if f"`{f.code}`" not in page} == set()

    def names(value: Any) -> set[str]:
        if isinstance(value, dict):
            return set(value) | {name for member in value.values() for name in names(member)}
        return {name for member in value for name in names(member)} if isinstance(value, list) else set()

    bundle = parse_bundle(world.good["customer"])
    members = names(json.loads(world.good["customer"]))
    for entry in bundle.entries:
        members |= names(json.loads(entry.record or b"{}"))
    assert {name for name in members if f"`{name}`" not in page} == set()


def test_a_record_of_another_bundle_does_not_pass(world: World) -> None:
    with pytest.raises(ParseError):
        parse_bundle(world.good["one"][:-1])
