package main

import (
	"buf.build/go/bufplugin/check"
)

const (
	isDenied  = ", so that every call is denied: "
	writeRule = `write one, "denied: true" if that is meant`
)

// checkRPCHasRule reports each RPC that no rule covers, and a service without any rule
// once.
func checkRPCHasRule(w check.ResponseWriter, s *schema) {
	for _, service := range s.services {
		var uncovered []*element
		for _, method := range service.methods {
			if method.rule() == nil {
				uncovered = append(uncovered, method)
			}
		}
		switch {
		case service.rule() != nil || len(uncovered) == 0:
		case len(uncovered) < len(service.methods):
			for _, method := range uncovered {
				w.AddAnnotation(
					check.WithMessagef("RPC %s has no access rule, and neither has its service%s%s.", method.descriptor.FullName(), isDenied, writeRule),
					check.WithDescriptor(method.descriptor),
				)
			}
		case !s.config.allowWithoutRules:
			w.AddAnnotation(
				check.WithMessagef("Service %s has no access rule, and none of its RPCs has one%s%s.", service.descriptor.FullName(), isDenied, writeRule),
				check.WithDescriptor(service.descriptor),
			)
		}
	}
}
