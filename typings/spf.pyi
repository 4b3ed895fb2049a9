# The part of pyspf 2.0.14 that protocols/_pyspf.py uses.

from ipaddress import IPv4Address, IPv6Address

MAX_LOOKUP: int

class TempError(Exception):
    msg: str
    def __init__(self, msg: str, mech: str | None = None, ext: object = None) -> None: ...

class PermError(Exception):
    msg: str
    def __init__(self, msg: str, mech: str | None = None, ext: object = None) -> None: ...

class query:  # noqa: N801
    A: str
    c: str
    cidrmax: int
    d: str
    h: str
    i: str
    l: str
    o: str
    s: str
    t: str
    v: str
    ident: str
    ipaddr: IPv4Address | IPv6Address | None
    lookups: int
    mechanism: str | None
    prob: str
    void_lookups: int
    def __init__(
        self,
        i: str,
        s: str,
        h: str,
        local: str | None = None,
        receiver: str | None = None,
        strict: bool | int = True,
        timeout: int = 20,
        verbose: bool = False,
        querytime: int = 0,
    ) -> None: ...
    def check1(self, spf: str | None, domain: str, recursion: int) -> tuple[str, int, str]: ...
    def check0(self, spf: str | None, recursion: int) -> tuple[str, int, str]: ...
    def check(self, spf: str | None = None) -> tuple[str, int, str]: ...
    def check_lookups(self) -> None: ...
    def expand(self, s: str, stripdot: bool = True) -> str: ...
    def validate_mechanism(self, mech: str) -> tuple[object, ...]: ...
    def expand_domain(self, arg: str) -> str: ...
    def get_explanation(self, spec: str) -> str | None: ...
    def dns(
        self, name: str, qtype: str, cnames: dict[str, str] | None = None, ignore_void: bool = False
    ) -> list[object]: ...
    def dns_spf(self, domain: str) -> str | None: ...
    def dns_a(self, domainname: str, A: str = "A") -> list[object]: ...  # noqa: N803
    def dns_mx(self, domainname: str) -> list[object]: ...
    def dns_ptr(self, i: str) -> list[object]: ...
    def cidrmatch(self, ipaddrs: list[object], n: int) -> bool: ...
    def validated_ptrs(self) -> list[object]: ...
