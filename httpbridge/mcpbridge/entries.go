package mcpbridge

import (
	"errors"
	"fmt"
	"iter"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/yosida95/uritemplate/v3"
)

// entries are the entries of a [Config].
type entries struct {
	tools, prompts, methods map[string]string
	resources               []resource // sorted by key
}

// resource is an entry of Config.Resources.
type resource struct {
	key       string         // the URI or the URI template, as it is registered with go-sdk
	template  *regexp.Regexp // matches the URIs of a template, as go-sdk does; nil for a resource
	procedure string
}

func newResource(key, procedure string) (resource, error) {
	if !strings.Contains(key, "{") {
		_, err := url.Parse(key)
		if err == nil && key == "" {
			err = errors.New("it is empty")
		}
		return resource{key: key, procedure: procedure}, err
	}
	template, err := uritemplate.New(key)
	if err != nil {
		return resource{}, err
	}
	return resource{key: key, template: template.Regexp(), procedure: procedure}, nil
}

func (r *resource) matches(uri string) bool {
	return r.key == uri || r.template != nil && r.template.MatchString(uri)
}

// matching returns the procedures of all entries that a URI matches, and whether
// one of them is that of this very URI or URI template.
//
// The handler of a template decodes what the URI holds, so that the URI of a
// resource with an entry of its own could be written in another way and match the
// template alone. Therefore the entries that the decoded URI matches count, too.
func (e *entries) matching(uri string) (procedures []string, named bool) {
	decoded, err := url.PathUnescape(uri)
	if err != nil {
		decoded = uri
	}
	for i := range e.resources {
		entry := &e.resources[i]
		if !entry.matches(uri) && (decoded == uri || !entry.matches(decoded)) {
			continue
		}
		named = named || entry.key == uri
		procedures = append(procedures, entry.procedure)
	}
	return procedures, named
}

// registered returns the procedures that decide about a resource or a template
// that is registered under key. There are none if it has no entry of its own.
func (e *entries) registered(key string) []string {
	procedures, named := e.matching(key)
	if !named {
		return nil
	}
	return procedures
}

// entry returns the procedure of the entry with a name, if there is one.
func entry(entries map[string]string, name string) []string {
	if procedure, ok := entries[name]; ok {
		return []string{procedure}
	}
	return nil
}

// all iterates over the entries: where each stands, and its procedure.
func (cfg *Config) all() iter.Seq2[string, string] {
	return func(yield func(place, procedure string) bool) {
		for _, group := range []struct {
			name    string
			entries map[string]string
		}{{"Tools", cfg.Tools}, {"Resources", cfg.Resources}, {"Prompts", cfg.Prompts}, {"Methods", cfg.Methods}} {
			for key, procedure := range sorted(group.entries) {
				if !yield(placeOf(group.name, key), procedure) {
					return
				}
			}
		}
	}
}

func placeOf(name, key string) string { return fmt.Sprintf("%s[%q]", name, key) }

// sorted iterates over a map in the order of its keys.
func sorted(m map[string]string) iter.Seq2[string, string] {
	return func(yield func(key, value string) bool) {
		for _, key := range slices.Sorted(maps.Keys(m)) {
			if !yield(key, m[key]) {
				return
			}
		}
	}
}
