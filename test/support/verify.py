"""Verifies a webhook with the standardwebhooks library of PyPI.

Reads {"secret", "headers", "body"} from stdin; exits 0 when the signature holds, 3 when it does not.
"""

import json
import sys

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

case = json.load(sys.stdin)
try:
    Webhook(case["secret"]).verify(case["body"], case["headers"])
except WebhookVerificationError as error:
    print(error, file=sys.stderr)
    sys.exit(3)
