package finding

import (
	"cmp"
	"maps"
	"regexp"
	"slices"
	"strconv"

	"github.com/drawbridge-rpc/drawbridge/fault"
	"github.com/drawbridge-rpc/drawbridge/policy"

	"github.com/drawbridge-rpc/drawbridge/cmd/internal/source"
)

// OfError returns the findings of the faults in an error of source.Read, sorted. It
// returns none for an error that has no faults.
func OfError(err error) []Finding { return sorted(faults(nil, err)) }

// Compile compiles a policy. It returns every fault and warning, sorted, and a table, which
// is nil if there is a fault in the policy itself. If rules are required, a method without
// one is no warning.
func Compile(s *source.Source, requireRules bool) (*policy.Table, []Finding) {
	compiler := s.Compiler()
	compiler.RequireRules = requireRules
	table, err := compiler.Compile(s.Policy)
	findings := faults(s, err)
	warnings := unchecked(s)
	if table != nil {
		warnings = append(warnings, ofTable(s, table)...)
	}
	if uncovered := uncovered(s); requireRules {
		findings = append(findings, uncovered...)
	} else {
		warnings = append(warnings, uncovered...)
	}
	for i := range warnings {
		warnings[i].IsWarning = true
	}
	return table, sorted(append(findings, warnings...))
}

func faults(s *source.Source, err error) []Finding {
	var findings []Finding
	for f := range fault.All(err) {
		findings = append(findings, placed(s, f, ruleOf(f)))
	}
	return findings
}

// methodSource returns where the rule of the method is written that a place names, or where
// the method is defined if it has none. Some faults have the source of the service instead.
func methodSource(s *source.Source, place string) string {
	parts := inServices.FindStringSubmatch(place)
	if s == nil || parts == nil || parts[2] == "" {
		return ""
	}
	service, _ := strconv.Unquote(parts[1])
	method, _ := strconv.Unquote(parts[2])
	if rule, ok := s.Policy.Services[service].Methods[method]; ok {
		return rule.Source
	}
	return s.Definition(service, method)
}

func ofTable(s *source.Source, table *policy.Table) []Finding {
	var findings []Finding
	for _, warning := range table.Warnings() {
		rule := NoRule
		if inProcedure.MatchString(warning.Place) {
			rule = Weaker
		}
		findings = append(findings, placed(s, warning, rule))
	}
	return findings
}

// placed makes a finding of a fault, with the nearest place that is known.
func placed(s *source.Source, f *fault.Fault, rule Rule) Finding {
	copied := *f
	copied.Source = cmp.Or(methodSource(s, f.Place), f.Source)
	return of(&copied, rule, sourceOf(s, f.Place))
}

// uncovered returns a finding for each service that was read and has no rule at all, which
// the compiler does not know of.
func uncovered(s *source.Source) []Finding {
	var findings []Finding
	for _, service := range s.Services() {
		if _, ok := s.Policy.Services[service.Name()]; ok {
			continue
		}
		findings = append(findings, of(&fault.Fault{
			Place: "policy: Services[" + strconv.Quote(service.Name()) + "]", Value: service.Name(),
			Reason: "has no rule, and neither has a method of it, so that every call is denied",
			Remedy: "set denied if that is meant",
		}, NoRule, service.Place()))
	}
	return findings
}

// unchecked returns a finding for each part of the policy that only the server can check.
func unchecked(s *source.Source) []Finding {
	var findings []Finding
	if !s.HasDescriptors() {
		findings = append(findings, of(&fault.Fault{
			Place: "policy", Reason: "the names of services and methods were not checked, because no descriptors were read",
			Remedy: "give --proto, --image or --reflect, too",
		}, Unchecked, fallback(s)))
	}
	for _, name := range slices.Sorted(maps.Keys(s.Policy.Services)) {
		service := s.Policy.Services[name]
		place := "policy: Services[" + strconv.Quote(name) + "]"
		findings = append(findings, uncheckedRule(s, place+".Rule", service.Rule)...)
		for _, method := range slices.Sorted(maps.Keys(service.Methods)) {
			findings = append(findings, uncheckedRule(s, place+".Methods["+strconv.Quote(method)+"]", service.Methods[method])...)
		}
	}
	return findings
}

func uncheckedRule(s *source.Source, place string, rule policy.Rule) []Finding {
	var findings []Finding
	add := func(field, reason string) {
		f := &fault.Fault{Source: rule.Source, Place: place + field, Reason: reason}
		findings = append(findings, of(f, Unchecked, sourceOf(s, place)))
	}
	if rule.Condition != "" && !s.HasDescriptors() {
		add(".Condition", "was not checked, because no descriptors were read")
	}
	if rule.Question != nil {
		add(".Question", "was checked for its resource and its time alone, because this program asks no decision point")
	}
	return findings
}

var (
	inServices  = regexp.MustCompile(`^policy: Services\[("(?:[^"\\]|\\.)*")\](?:\.Rule|\.Methods\[("(?:[^"\\]|\\.)*")\])?(.*)$`)
	inProcedure = regexp.MustCompile(`^policy: /([^/]+)/([^/]+)$`)
)

// sourceOf returns where something is written that has no source of its own: by the rule
// that its place leads to, or else by the service or the method.
func sourceOf(s *source.Source, place string) string {
	if s == nil {
		return ""
	}
	service, method := "", ""
	if parts := inServices.FindStringSubmatch(place); parts != nil {
		service, _ = strconv.Unquote(parts[1])
		method, _ = strconv.Unquote(parts[2])
	} else if parts := inProcedure.FindStringSubmatch(place); parts != nil {
		service, method = parts[1], parts[2]
	}
	for _, source := range []string{ruleSource(s, service, method), s.Definition(service, method)} {
		if source != "" {
			return source
		}
	}
	return fallback(s)
}

func ruleSource(s *source.Source, service, method string) string {
	rules := s.Policy.Services[service]
	if rule, ok := rules.Methods[method]; ok || method != "" && method != "*" {
		return rule.Source
	}
	return cmp.Or(rules.Rule.Source, rules.Source)
}

// fallback is a file that was read, so that a code host has something to show.
func fallback(s *source.Source) string {
	if len(s.Files) > 0 {
		return s.Files[0]
	}
	return s.Names[0]
}
