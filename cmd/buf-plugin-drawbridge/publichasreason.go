package main

import (
	"fmt"
	"strings"

	"buf.build/go/bufplugin/check"
)

// checkPublicHasReason reports each rule that is public and says not why.
func checkPublicHasReason(w check.ResponseWriter, s *schema) {
	for e := range s.elements() {
		rule := e.rule()
		if !rule.GetPublic() || strings.TrimSpace(rule.GetReason()) != "" {
			continue
		}
		path, _ := e.at("rule.public", "")
		e.report(w, path, fmt.Sprintf("%s is public without a reason: write into its reason why callers need no token.", e.descriptor.FullName()))
	}
}
