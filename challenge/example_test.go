package challenge_test

import (
	"fmt"
	"net/http/httptest"

	"github.com/drawbridge-rpc/drawbridge/challenge"
)

// A server writes a denial as an HTTP response.
func ExampleDenialError_Response() {
	denial := challenge.NewDenial(challenge.ReasonInsufficientScope, nil)
	denial.Challenge.Realm = "inventory.v1.InventoryService"
	denial.Challenge.ResourceMetadataURL = "https://api.example.com/.well-known/oauth-protected-resource"
	denial.Challenge.Scopes = []string{"inventory:write"}

	w := httptest.NewRecorder()
	denial.Response().Write(w)
	fmt.Println(w.Code)
	fmt.Println(w.Body)
	// Output:
	// 403
	// {"error":"insufficient_scope","error_description":"the access token lacks a scope that this operation needs","server":"inventory.v1.InventoryService"}
}

// A client reads the challenge of a 401 or 403, which may come among others.
func ExampleParse() {
	header := []string{
		`Basic realm="legacy"`,
		`Bearer resource_metadata="https://api.example.com/.well-known/oauth-protected-resource", scope="inventory:read inventory:write", error="insufficient_scope"`,
	}
	challenges, err := challenge.Parse(header)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, c := range challenges {
		if c.Scheme == challenge.Bearer {
			fmt.Println(c.Error, c.Scopes)
			fmt.Println(c.ResourceMetadataURL)
		}
	}
	// Output:
	// insufficient_scope [inventory:read inventory:write]
	// https://api.example.com/.well-known/oauth-protected-resource
}

// An adapter declares a Form for each representation of denials, and it is built
// once for a denial that is prebuilt.
func ExampleForm() {
	page := challenge.NewForm(func(denial *challenge.DenialError) string {
		fmt.Println("building")
		return "<p>" + denial.Error() + "</p>"
	})
	denial := challenge.NewDenial(challenge.ReasonNoCredentials, nil).Prebuilt()
	fmt.Println(page.Of(denial))
	fmt.Println(page.Of(denial))
	// Output:
	// building
	// <p>an access token is required</p>
	// <p>an access token is required</p>
}
