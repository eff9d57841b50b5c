package policyfile

import (
	"fmt"
	"maps"
	"slices"

	"github.com/drawbridge-rpc/drawbridge/fault"
	drawbridgev1 "github.com/drawbridge-rpc/drawbridge/proto/drawbridge/v1"
)

// merge puts the documents of several files together. A service stands in one of them, so
// that what applies to it can be read in one place, and so does a resource. Implications
// add up.
func merge(documents []*document) (*document, error) {
	if len(documents) == 1 {
		return documents[0], nil
	}
	var faults fault.List
	services, resources := make(map[string]*drawbridgev1.Service), make(map[string]*drawbridgev1.Reach)
	merged := &document{message: &drawbridgev1.Policy{Services: services, Resources: resources}, sources: newSources()}
	for _, d := range documents {
		mergeEntries(&faults, "services", services, d.message.GetServices(), merged.sources.services, d.sources.services)
		mergeEntries(&faults, "resources", resources, d.message.GetResources(), merged.sources.resources, d.sources.resources)
		merged.message.Implies = append(merged.message.Implies, d.message.GetImplies()...)
		for scope, source := range d.sources.implies {
			if _, ok := merged.sources.implies[scope]; !ok {
				merged.sources.implies[scope] = source
			}
		}
		maps.Copy(merged.sources.rules, d.sources.rules)
		maps.Copy(merged.sources.methods, d.sources.methods)
	}
	return merged, faults.Err()
}

// mergeEntries adds the entries of one file to those of the files before it.
func mergeEntries[V any](faults *fault.List, field string, into, from map[string]V, places, added map[string]string) {
	for _, key := range slices.Sorted(maps.Keys(from)) {
		if first, ok := places[key]; ok {
			faults.AddAt(added[key], place(fmt.Sprintf("%s[%q]", field, clip(key))), "", "is also in "+first, "keep one")
			continue
		}
		into[key], places[key] = from[key], added[key]
	}
}
