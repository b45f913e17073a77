// Verifies a webhook with the Standard Webhooks library for Go.
//
// Reads {"secret", "headers", "body"} from stdin; exits 0 when the signature holds, 3 when it does not.
package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

func main() {
	var given struct {
		Secret  string            `json:"secret"`
		Headers map[string]string `json:"headers"`
		Body    string            `json:"body"`
	}
	if err := json.NewDecoder(os.Stdin).Decode(&given); err != nil {
		fail(2, err)
	}
	webhook, err := standardwebhooks.NewWebhook(given.Secret)
	if err != nil {
		fail(2, err)
	}
	headers := http.Header{}
	for name, value := range given.Headers {
		headers.Set(name, value)
	}
	if err := webhook.Verify([]byte(given.Body), headers); err != nil {
		fail(3, err)
	}
}

func fail(code int, err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(code)
}
