"""The catalogues: complete, used, alike in their placeholders, and really Traditional Chinese."""

import ast
import json
import re
from importlib.resources import files
from io import BytesIO

import pytest
from babel.messages.pofile import read_po

from deliverability import plugins
from deliverability.compose.catalog import catalog, messages
from deliverability.compose.witnessed import MESSAGES as WITNESS
from deliverability.errors import UsageError
from deliverability.evidence.bundle import Strength
from deliverability.evidence.event import Result, TimeBasis
from deliverability.evidence.plugin import LANGUAGES, Certainty, Surface
from deliverability.evidence.story import Role, State
from deliverability.evidence.verdict import Outcome
from deliverability.protocols.mx import MxKind

EN, ZH = (catalog(lang).sentences for lang in LANGUAGES)
REASONS = messages(
    files("deliverability.compose").joinpath("locales", "zh_Hant_TW", "LC_MESSAGES", "reasons.po").read_text("utf-8")
)
KEY = re.compile(r"[a-z][a-z0-9-]*(?:\.[a-z0-9-]+)+\Z|colon\Z")
PLACEHOLDER = re.compile(r"\{(\w*)\}")
HAN = re.compile(r"[\u3400-\u9fff]")
SAME_IN_BOTH = {"fact.message-id", "forward.message-id", "colon", "list.aside", "list.separator", "list.semicolon"}

# Simplified forms that the first level of Big5 holds as characters of their own, which our texts have no use for.
SIMPLIFIED_IN_BIG5 = set("于党冲听")
# Words of the mainland for which Taiwan has its own.
MAINLAND_WORDS = (
    "郵箱",
    "短信",
    "服務器",
    "網絡",
    "默認",
    "登錄",
    "賬號",
    "軟件",
    "程序",
    "激活",
    "鏈接",
    "郵件夾",
    "點擊",
    *(
        "信息",
        "互聯網",
        "文件夾",
        "屏幕",
        "數據",
        "視頻",
        "硬件",
        "反饋",
        "運行",
        "賬戶",
        "發件人",
        "日誌",
        "隊列",
        "字節",
        "端口",
    ),
)


def sources():
    for folder in ("api", "compose", "reports", "terminal"):
        for path in files("deliverability").joinpath(folder).iterdir():
            if path.name.endswith(".py"):
                yield path.name, ast.parse(path.read_text(encoding="utf-8"))


def template_keys():
    text = files("deliverability.reports").joinpath("templates", "report.html.j2").read_text(encoding="utf-8")
    return set(re.findall(r'\bt\("([^"]+)"[,)]', text))


def literals():
    return {
        node.value
        for _, tree in sources()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    } | template_keys()


def patterns():
    """f-strings that build keys, as regular expressions: t(f"role.{claim.role}")."""
    for _, tree in sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.JoinedStr):
                parts = [re.escape(v.value) if isinstance(v, ast.Constant) else r"[a-z-]+" for v in node.values]
                if re.match(r"[a-z-]+(\\\.|\.)", parts[0].replace("\\-", "-")):
                    yield re.compile("".join(parts) + r"\Z")


def asked():
    """First arguments of calls of the catalogue that are plain strings."""
    for name, tree in sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
                called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                if called == "t":
                    yield name, node.args[0].value


def test_both_languages_have_the_same_keys():
    assert set(EN) == set(ZH)
    assert len(EN) > 200


def test_every_key_has_a_real_text_in_both():
    for key in EN:
        assert EN[key].strip(), key
        assert ZH[key].strip(), key
        assert HAN.search(ZH[key]) or key in SAME_IN_BOTH, f"{key} is not Chinese: {ZH[key]}"
        assert not HAN.search(EN[key]), f"{key} is not English"


def test_placeholders_are_the_same_in_both():
    for key in EN:
        assert set(PLACEHOLDER.findall(EN[key])) == set(PLACEHOLDER.findall(ZH[key])), key
        for text in (EN[key], ZH[key]):
            assert text.count("{") == text.count("}") == len(PLACEHOLDER.findall(text)), key


def test_every_key_that_is_asked_for_exists():
    missing = [(name, key) for name, key in asked() if key not in EN]
    assert not missing
    assert not template_keys() - set(EN)


def test_every_key_that_exists_is_asked_for():
    known, built = literals(), list(patterns())
    unused = [key for key in EN if key not in known and not any(pattern.match(key) for pattern in built)]
    assert not unused


def test_keys_have_the_form_of_keys():
    assert all(KEY.match(key) for key in EN)


@pytest.mark.parametrize(
    ("prefix", "values"),
    [
        ("role", Role),
        ("state", State),
        ("strength", Strength),
        ("outcome", Outcome),
        ("result", Result),
        ("surface", Surface),
        ("steps", Certainty),
        ("basis", MxKind),
        ("time.zone", [basis for basis in TimeBasis if basis is not TimeBasis.LOGGED]),
        ("time.year", [basis for basis in TimeBasis if basis is not TimeBasis.LOGGED]),
    ],
)
def test_every_value_of_the_model_has_its_word(prefix, values):
    assert [value for value in values if f"{prefix}.{value}" not in EN] == []


def test_a_language_without_a_catalogue_is_refused():
    for lang in ("zh-Hans", "", "../en", "EN"):
        with pytest.raises(UsageError):
            catalog(lang)


def test_braces_in_a_parameter_stay_text():
    assert "{recipient}" in catalog("en")("address.used", recipient="{recipient}@x")


# --- Traditional Chinese ----------------------------------------------------------------------------------------------


def strange(text):
    """Characters that are not of the first level of Big5: the 5,401 in daily use in Taiwan."""
    found = set()
    for char in HAN.findall(text):
        try:
            code = int.from_bytes(char.encode("big5"))
        except UnicodeEncodeError:
            found.add(char)
            continue
        if not 0xA440 <= code <= 0xC67E or char in SIMPLIFIED_IN_BIG5:
            found.add(char)
    return found


def test_the_test_for_simplified_characters_finds_them():
    for (
        char
    ) in "这们来时国会说对为过还发现问题处业务邮编号码网络计设备动员记录验证单选择资讯无传输确认总开关间门听长东车马于":
        assert strange(char) == {char}
    assert strange("您的信箱業者已收下這封信，請查看垃圾郵件。") == set()


def zh_texts():
    yield from ZH.items()
    yield from REASONS.items()
    yield from WITNESS["zh-Hant-TW"].items()
    yield from json.loads(files("deliverability.ledger").joinpath("verifier", "words.json").read_bytes())[
        "zh-Hant-TW"
    ].items()
    for folder, attribute in (("providers", None), ("checks", "messages"), ("filters", "messages")):
        for plugin, loaded in plugins.load_all(folder):
            if isinstance(loaded, Exception):
                continue
            if attribute is None:
                yield from ((plugin, text) for text in provider_texts(loaded))
            else:
                yield f"{plugin}.title", getattr(loaded, "title", {}).get("zh-Hant-TW", "")
                for code, texts in getattr(loaded, attribute, {}).items():
                    yield f"{plugin}.{code}", texts.get("zh-Hant-TW", "")


def provider_texts(loaded):
    yield loaded.name["zh-Hant-TW"]
    yield loaded.junk_folder["zh-Hant-TW"]
    for steps in (*loaded.find, *loaded.keep):
        yield from steps.steps["zh-Hant-TW"]
    yield from (caveat["zh-Hant-TW"] for caveat in loaded.caveats)


def test_no_simplified_character_and_no_rare_one():
    assert [(key, "".join(sorted(strange(text)))) for key, text in zh_texts() if strange(text)] == []


def test_no_word_that_taiwan_does_not_use():
    assert [(key, word) for key, text in zh_texts() for word in MAINLAND_WORDS if word in text] == []


def test_punctuation_between_chinese_characters_is_full_width():
    half = re.compile(r"[\u4e00-\u9fff][,;:?!][\u4e00-\u9fff]")
    found = [(key, text) for key, text in ZH.items() if half.search(text)]
    assert [key for key, _ in found if key != "log.label"] == []


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_catalogues_are_read_as_babel_reads_them(lang: str) -> None:
    path = files("deliverability.compose") / "locales" / lang.replace("-", "_") / "LC_MESSAGES" / "deliverability.po"
    read = read_po(BytesIO(path.read_bytes()), abort_invalid=True)
    assert dict(catalog(lang).sentences) == {str(m.id): str(m.string) for m in read if m.id}
