package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"buf.build/go/bufplugin/check"
	"github.com/drawbridge-rpc/drawbridge/fault"
	drawbridgev1 "github.com/drawbridge-rpc/drawbridge/proto/drawbridge/v1"
)

// checkOptionsValid reports what the compiler of package policy finds wrong.
func checkOptionsValid(w check.ResponseWriter, s *schema) {
	for _, f := range s.faults {
		switch e, address := s.find(f); {
		case e == nil:
			w.AddAnnotation(check.WithMessage(f.Error()))
		case !s.isImported(e):
			path, text := e.at(address, f.Value)
			place := string(e.descriptor.FullName())
			if text != "" {
				place += ": " + text
			}
			e.report(w, path, (&fault.Fault{Place: place, Value: f.Value, Reason: f.Reason, Remedy: f.Remedy}).Error())
		}
	}
}

// find returns the element that a fault is about, and where in the option of it. It
// returns nil if there is none.
func (s *schema) find(f *fault.Fault) (e *element, address string) {
	place := strings.TrimPrefix(f.Place, "policy: ")
	if implication, ok := strings.CutPrefix(place, "Implies"); ok {
		return s.findImplication(implication, f.Value)
	}
	for _, service := range slices.Concat(s.services, s.imported) {
		name := string(service.descriptor.FullName())
		if rest, ok := strings.CutPrefix(place, fmt.Sprintf("Services[%q]", name)); ok {
			return service.find(rest)
		}
		if place == name {
			return &service.element, ""
		}
		if method, ok := strings.CutPrefix(place, name+"."); ok && service.method(method) != nil {
			return service.method(method), ""
		}
	}
	return nil, ""
}

// find returns the element of a service that a place is about, .Rule.Scopes or
// .Methods["Get"].Scopes, and where in its option.
func (s *service) find(place string) (e *element, address string) {
	if rest, ok := strings.CutPrefix(place, ".Rule"); ok {
		return &s.element, "rule" + rest
	}
	if rest, ok := strings.CutPrefix(place, `.Methods["`); ok {
		name, rest, _ := strings.Cut(rest, `"]`)
		if method := s.method(name); method != nil {
			return method, "rule" + rest
		}
	}
	return &s.element, ""
}

// findImplication returns an implication that a fault is about: of the scope that place
// names, ["a"], or of a cycle, which is the value, "a → b → a".
func (s *schema) findImplication(place, value string) (e *element, address string) {
	if place == "" {
		cycle := strings.Split(value, " → ")
		for i, scope := range cycle[:len(cycle)-1] {
			found, at := s.implication(func(implication *drawbridgev1.Implication) bool {
				return implication.GetScope() == scope && slices.Contains(implication.GetImplies(), cycle[i+1])
			})
			if e == nil || s.isImported(e) {
				e, address = found, at
			}
		}
		return e, address
	}
	scope, err := strconv.Unquote(strings.Trim(place, "[]"))
	if err != nil {
		return nil, ""
	}
	e, address = s.implication(func(implication *drawbridgev1.Implication) bool {
		return implication.GetScope() == scope && slices.Contains(implication.GetImplies(), value)
	})
	if e != nil {
		return e, address + ".implies"
	}
	return s.implication(func(implication *drawbridgev1.Implication) bool { return implication.GetScope() == scope })
}

// implication returns the first implication that is the wanted one, an imported one only
// if no other is.
func (s *schema) implication(isWanted func(*drawbridgev1.Implication) bool) (e *element, address string) {
	for _, service := range slices.Concat(s.services, s.imported) {
		if i := slices.IndexFunc(service.implies(), isWanted); i >= 0 {
			return &service.element, fmt.Sprintf("implies[%d]", i)
		}
	}
	return nil, ""
}
