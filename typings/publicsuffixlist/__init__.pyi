# The part of publicsuffixlist 1.x that protocols/dmarc_7489.py uses.

__version__: str

class PublicSuffixList:
    def __init__(self, source: object = None, accept_unknown: bool = True) -> None: ...
    def privatesuffix(self, domain: str) -> str | None: ...
