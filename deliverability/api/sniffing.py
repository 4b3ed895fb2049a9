"""What of a sample is worth asking every format about."""

import re

SHORTEST = 16
"""Octets of a line below which no format can know it: the time alone has as many ("Nov 22 05:31:12 ", an ISO date with
hours and minutes), and a row of an export has more columns than that."""

_SHORT = re.compile(rb"(?:^[^\n]{0,%d}+\n)++" % (SHORTEST - 1), re.MULTILINE)


def sniffable(sample: bytes) -> bytes:
    """The sample without lines that are too short: millions of them are passed over as one, once for all formats.

    A sample of ordinary lines comes back as it is.
    """
    if sample.count(b"\n") * SHORTEST <= len(sample):
        return sample
    return _SHORT.sub(b"", sample)
