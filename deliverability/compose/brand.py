"""What the sender says of itself; everything else in a report comes from evidence."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Brand:
    """The sending company, from its configuration.  Absent parts are left out of the report."""

    name: str = ""
    contact: str = ""
    """How to reach its people without e-mail: telephone, page, address, as plain text."""
    action_url: str = ""
    """Where the customer can pay, renew or restore without needing the mail."""
    change_address_url: str = ""
    """Where the customer changes the address that notices go to."""
    sender: str = ""
    """The address in the From line of its notices, where it is always the same."""
