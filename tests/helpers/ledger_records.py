"""Records of a mailer, for tests of the spool and the ledger."""

from datetime import UTC, datetime

from deliverability.evidence.recorder import Finish, Hop, Intent, Outcome
from deliverability.evidence.smtp import Host, Reply, Tls

AT = datetime(2026, 11, 22, 5, 31, 12, 345678, tzinfo=UTC)


def intent(number: int = 1, **other: object) -> Intent:
    facts: dict[str, object] = {
        "dispatch": f"{number:032x}",
        "sending": f"{number:032x}",
        "at": AT,
        "account": "4711",
        "reverse_path": "renewals@hosting.example",
        "forward_path": "chen@hinet.example",
        "message_id": "a@hosting.example",
        "subject": "續約通知",
        "author_domain": "hosting.example",
        "size": 4711,
        "sha256": "ab" * 32,
        "signatures": (("hosting.example", "s2026"),),
        "next_hop": "msr1.hinet.example",
        "hop": Hop.RECIPIENT_MX,
    }
    return Intent(**facts | other)  # type: ignore[arg-type]


OUTCOME = Outcome(
    dispatch="1" * 32,
    at=AT,
    finish=Finish.ACCEPTED,
    stage="end-of-data",
    reply=Reply(250, "2.0.0", "250 2.0.0 OK"),
    rcpt_reply=Reply(250, None, "250 Ok"),
    relay=Host("msr1.hinet.example", "198.51.100.31", 25),
    tls=Tls("TLSv1.3", "TLS_AES_256_GCM_SHA384", True),
    remote_queue_id="5AM7",
    certificate_sha256="cd" * 32,
)
