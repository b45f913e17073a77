"""What Schemathesis may not do as it likes; everything else is its own choice."""

import json
import os
from urllib.parse import urlsplit

import schemathesis

RECEIVER = os.environ["RECEIVER"]
LONGEST_POLL_MS = 20


@schemathesis.serializer("application/x-ndjson")
def ndjson(ctx, value):
    """One line an entry."""
    lines = value if isinstance(value, list) else [value]
    return "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines).encode(errors="replace")


@schemathesis.hook
def before_call(context, case, kwargs):
    # Targets are sent webhooks: to a receiver on loopback, and not to whoever has a made-up address.
    case.body = _with_own_receiver(case.body)
    # A long poll with nothing to come waits as long as it was asked to: 30 s each, for nothing.
    wait = (case.query or {}).get("wait_for")
    if str(wait).isdigit() and LONGEST_POLL_MS < int(wait) <= 30_000:
        case.query["wait_for"] = LONGEST_POLL_MS


def _with_own_receiver(value):
    if not isinstance(value, dict):
        return value
    return {name: _elsewhere(inner) if name.endswith("_url") else _with_own_receiver(inner) for name, inner in value.items()}


def _elsewhere(value):
    """Keeps what is no http URL, or may not be one here: it is to be refused."""
    try:
        parts = urlsplit(value)
    except (TypeError, ValueError, AttributeError):
        return value
    if parts.scheme not in ("http", "https") or not parts.netloc or "@" in parts.netloc or "#" in value or len(value) > 2048:
        return value
    return RECEIVER
