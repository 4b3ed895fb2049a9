"""What makes an SPF record unusable, in our words (RFC 7208 §4.6, §5, §6, §7).

pyspf tells it in phrases of its own, of which it has these and no others; they are put so that the term at fault stands
inside.  A phrase of another version is quoted.
"""

from typing import Final

from deliverability.errors import printable
from deliverability.evidence.verdict import fill

MAX_LOOKUPS: Final = 10  # RFC 7208 §4.6.4, as are the next two
MAX_MX: Final = 10
MAX_VOID: Final = 2
MAX_TERM_SHOWN: Final = 120
"""Characters of a term in a sentence."""
TOO_LONG: Final = "a record or one of its terms is too long"
NO_NETWORK: Final = "{term} is no network of this kind"
MANY_MX: Final = f"more than {MAX_MX} mail servers are named"
MANY_VOID: Final = f"more than {MAX_VOID} look-ups had no answer"
# All that pyspf 2.0.14 finds wrong with a record when it is strict, and how we say it; "{term}" is what it points at.
_PROBLEMS: Final = {
    **{ours: ours for ours in (TOO_LONG, NO_NETWORK, MANY_MX, MANY_VOID)},
    "Do not separate mechnisms with commas": "{term} ends with a comma; terms are separated by blanks",
    "Unknown mechanism found": "{term} is no mechanism",
    "Use the ip4 mechanism for ip4 addresses": "{term} names an address where a name belongs; ip4 is for addresses",
    "Invalid IP4 CIDR length": "{term} has a prefix length beyond that of IPv4",
    "Invalid IP6 CIDR length": "{term} has a prefix length beyond that of IPv6",
    "Missing IP4": "{term} is an address without ip4 before it",
    "Dual CIDR not allowed": "{term} has two prefix lengths",
    "Invalid IP4 address": "{term} holds no IPv4 address",
    "Invalid IP6 address": "{term} holds no IPv6 address",
    "CIDR not allowed": "{term} may have no prefix length",
    "implicit exists not allowed": "{term} names no domain",
    "empty domain:": "{term} names no domain",
    "include has trivial recursion": "{term} names its own domain",
    "include mechanism missing domain": "{term} names no domain",
    "Invalid all mechanism format - only qualifier allowed with all": "{term} is more than all alone",
    "Unknown qualifier, RFC 4408 para 4.6.1, found in": "{term} begins with a sign that is no qualifier",
    "exp has empty domain-spec:": "{term} names no domain",
    "redirect has empty domain:": "{term} names no domain",
    "redirect domain has no SPF record": "{term} is redirected to and has no SPF record",
    "syntax error": "{term} is not written correctly",
    "Too many DNS lookups": f"more than {MAX_LOOKUPS} terms ask the DNS",
    "invalid-macro-char ": "{term} holds a macro that is not written correctly",
    "c,r,t macros allowed in exp= text only": "{term} is a macro for explanations alone",
    "Unknown Macro Encountered": "{term} is a macro that does not exist",
    "Two or more type TXT spf records found.": "one name has several SPF records",
    "Non-ascii characters found": "a record holds characters outside ASCII",
    "Invalid domain found (use FQDN)": "{term} is no full domain name",
}
# Phrases with a name inside: how they begin and end.
_NAMED: Final = (
    ("", "= MUST appear at most once", "{name}= stands more than once"),
    ("No valid SPF record for included domain: ", "", "{name} is included and has no SPF record"),
)


def told(phrase: str, term: str) -> str:
    """A problem for the middle of a sentence, from pyspf's phrase and the term that it points at: foreign text inside."""
    term = printable(term, MAX_TERM_SHOWN)
    if phrase in _PROBLEMS:
        first = phrase.partition(" ")[0]  # of an empty exp= or redirect= only the phrase names it
        return fill(_PROBLEMS[phrase], {"term": term or (f"{first}=" if first in ("exp", "redirect") else '""')})
    for beginning, end, ours in _NAMED:
        if phrase.startswith(beginning) and phrase.endswith(end):
            name = phrase[len(beginning) : len(phrase) - len(end)]
            return fill(ours, {"name": printable(name, MAX_TERM_SHOWN)})
    shown = " ".join(filter(None, (printable(phrase, MAX_TERM_SHOWN), term)))
    return f'the evaluator says "{shown}"'
