export type Language = 'Node' | 'Python' | 'Go';

/**
 * A function `receive` for a receiver, in each language that has an official library of Standard
 * Webhooks which we try; it reads the secret from SIGNING_SECRET. docs/receiving.md has whole receivers.
 */
export const SNIPPETS: { language: Language; text: string }[] = [
  {
    language: 'Node',
    text: `// npm install standardwebhooks
import { Webhook } from 'standardwebhooks';

const webhook = new Webhook(process.env.SIGNING_SECRET);

// body: as it came, not parsed. Throws when no signature fits.
// Returns { event } or { record }; a test webhook has { test }.
export function receive(body, headers) {
  return webhook.verify(body, headers);
}
`,
  },
  {
    language: 'Python',
    text: `# pip install standardwebhooks
import os

from standardwebhooks.webhooks import Webhook

webhook = Webhook(os.environ["SIGNING_SECRET"])


# body: as it came, not parsed. Raises when no signature fits.
# Returns {"event": …} or {"record": …}; a test webhook has {"test": …}.
def receive(body, headers):
    return webhook.verify(body, dict(headers))
`,
  },
  {
    language: 'Go',
    text: `// go get github.com/standard-webhooks/standard-webhooks/libraries
package main

import (
	"net/http"
	"os"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// body: as it came, not parsed. Fails when no signature fits.
// It holds {"event":…} or {"record":…}; a test webhook has {"test":…}.
func receive(body []byte, headers http.Header) error {
	secret := os.Getenv("SIGNING_SECRET")
	webhook, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		return err
	}
	return webhook.Verify(body, headers)
}
`,
  },
];
