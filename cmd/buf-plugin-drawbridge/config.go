package main

import (
	"errors"
	"maps"
	"regexp"
	"regexp/syntax"
	"slices"

	"buf.build/go/bufplugin/option"
	"github.com/drawbridge-rpc/drawbridge/fault"
)

// The options of the plugin in buf.yaml. Those of buf cannot be false.
const (
	scopePatternOption        = "scope_pattern"
	allowServicesWithoutRules = "allow_services_without_rules"
)

// defaultScopePattern matches "admin", "inventory:read" and "billing:invoices:export".
const defaultScopePattern = `[a-z][a-z0-9_.-]*(:[a-z0-9][a-z0-9_.-]*)*`

// config is what the options of the plugin say.
type config struct {
	pattern           string // of scopes, as it is written
	scope             *regexp.Regexp
	allowWithoutRules bool
}

// newConfig reads the options. The error joins a [*fault.Fault] for each fault. An
// option that the plugin does not have is one: what it asks for would not be checked.
func newConfig(options option.Options) (config, error) {
	c := config{pattern: defaultScopePattern}
	faults := fault.List{Within: "options: "}
	values := make(map[string]any)
	options.Range(func(key string, value any) { values[key] = value })
	for _, key := range slices.Sorted(maps.Keys(values)) {
		var ok bool
		switch key {
		case scopePatternOption:
			if c.pattern, ok = values[key].(string); !ok {
				faults.Add(key, "", "is not a string", "")
			}
		case allowServicesWithoutRules:
			if c.allowWithoutRules, ok = values[key].(bool); !ok {
				faults.Add(key, "", "is not a boolean", "")
			}
		default:
			faults.Add(key, "", "is not an option of this plugin", "the options are "+allowServicesWithoutRules+" and "+scopePatternOption)
		}
	}
	c.compilePattern(&faults)
	return c, faults.Err()
}

// compilePattern compiles the pattern so that it has to match a scope as a whole.
func (c *config) compilePattern(faults *fault.List) {
	// By itself first: "a)|(b" must not become a part of what is put around it.
	_, err := regexp.Compile(c.pattern)
	if err == nil {
		c.scope, err = regexp.Compile(`\A(?:` + c.pattern + `)\z`)
	}
	if err == nil {
		return
	}
	reason := err.Error()
	if syntaxError, ok := errors.AsType[*syntax.Error](err); ok {
		reason = syntaxError.Code.String()
	}
	faults.Add(scopePatternOption, c.pattern, "is not a regular expression: "+reason, "see https://github.com/google/re2/wiki/Syntax")
}
