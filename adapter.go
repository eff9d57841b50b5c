package drawbridge

import (
	"context"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/internal/rpc"
)

// Adapter is what an [Authorizer] offers to authors of adapters: packages that
// carry its decisions over an RPC framework or a router. An adapter translates
// and decides nothing: it fills a [Request], calls [Adapter.Authorize] or
// [Adapter.Decide], and writes the denial in the caller's protocol.
//
// An Adapter is a small value, immutable and safe for concurrent use. Package
// interceptor holds what adapters share on top of it.
type Adapter struct {
	authorizer *Authorizer
	pinned     *state // nil unless Pin was called
}

// Adapter returns the Authorizer as adapters use it. It panics if a is nil, so
// that a forgotten Authorizer is noticed before the first request.
func (a *Authorizer) Adapter() Adapter {
	if a == nil {
		panic("drawbridge: the Authorizer is nil")
	}
	return Adapter{authorizer: a}
}

// Pin returns an Adapter that keeps to one configuration: the one that the call
// of ctx is bound to, or else the present one. An adapter that asks more than one
// question about a request pins it first, because Reconfigure may come between
// two.
func (d Adapter) Pin(ctx context.Context) Adapter {
	d.pinned = d.stateOf(ctx)
	return d
}

// Authorizer returns the Authorizer behind d.
func (d Adapter) Authorizer() *Authorizer { return d.authorizer }

// Authorize decides about a request. It returns a context that carries the
// [Caller], or a denial. If ctx carries a decision of this Authorizer about this
// very request, made by an adapter further out, that stands and ctx is returned
// as it is.
//
// A request is the same if requirement, resource and credential are, and, where the
// requirement depends on them, procedure and message. If its decision was left open, see
// [Request].MessageFollows, it is made now. Another one is decided under the configuration of the first decision of this Authorizer, so
// that a call never sees two.
func (d Adapter) Authorize(ctx context.Context, req *Request) (context.Context, *challenge.DenialError) {
	var w walk
	outer := w.begin(ctx, d)
	if outer != nil && w.stands(ctx, req, outer) {
		if !outer.at.isOpen || req.MessageFollows {
			return ctx, nil
		}
		judged, denial := outer.close(ctx, req, w.start)
		if denial != nil {
			return nil, denial
		}
		return judged.newContext(ctx, req), nil
	}
	if denial := w.finish(ctx, req); denial != nil {
		return nil, denial
	}
	caller := Caller{info: w.info, at: w.at, credential: w.value}
	return caller.newContext(ctx, req), nil
}

// Decide is [Adapter.Authorize] for adapters that keep the Caller in a context
// of their own: it fills caller and allocates nothing. A caller that was let in
// further out is copied into it.
func (d Adapter) Decide(ctx context.Context, req *Request, caller *Caller) *challenge.DenialError {
	var w walk
	outer := w.begin(ctx, d)
	if outer != nil && w.stands(ctx, req, outer) {
		*caller = *outer
		if !outer.at.isOpen || req.MessageFollows {
			return nil
		}
		judged, denial := outer.close(ctx, req, w.start)
		*caller = judged
		return denial
	}
	if denial := w.finish(ctx, req); denial != nil {
		return denial
	}
	*caller = Caller{info: w.info, at: w.at, credential: w.value}
	return nil
}

// begin binds the walk to the configuration of the call, and returns the caller
// that was let in further out.
func (w *walk) begin(ctx context.Context, d Adapter) *Caller {
	outer := d.Caller(ctx)
	w.outer = outer
	switch {
	case outer != nil:
		w.state = outer.at.state
	case d.pinned != nil:
		w.state = d.pinned
	default:
		w.state = d.authorizer.state.Load()
	}
	w.start = w.state.start()
	return outer
}

// finish decides, and has the decision observed.
func (w *walk) finish(ctx context.Context, req *Request) *challenge.DenialError {
	denial := w.decide(ctx, req)
	if denial == nil && w.at.isOpen {
		return nil // It is observed when it is made.
	}
	if denial != nil || len(w.state.observers) > 0 {
		w.state.observe(ctx, req, &record{at: w.at, info: w.info, denial: denial, start: w.start})
	}
	return denial
}

// Caller returns the caller that this Authorizer let in and ctx carries, or nil.
func (d Adapter) Caller(ctx context.Context) *Caller {
	caller, _ := ctx.Value(callerKey{d.authorizer}).(*Caller)
	return caller
}

// Refuse returns the denial of a request that an adapter refuses for reasons of
// its own transport, such as a foreign origin, and has it observed with the
// cause.
func (d Adapter) Refuse(ctx context.Context, req *Request, reason challenge.Reason, cause error) *challenge.DenialError {
	denial := challenge.NewDenial(reason, cause)
	denial.Challenge.Realm = req.realm()
	caller := d.Caller(ctx)
	if caller == nil {
		d.present().observe(ctx, req, &record{denial: denial})
	} else {
		caller.at.state.observe(ctx, req, &record{denial: denial, info: caller.info})
	}
	return denial
}

// HasRule reports whether a rule lets some caller call procedure,
// "/pkg.Service/Method". An adapter that maps other names to procedures checks
// that at construction, because without a rule every call is denied.
func (d Adapter) HasRule(procedure string) bool {
	return d.present().table.Lookup(procedure) != nil
}

// HasMethodRule is HasRule for adapters that take a misspelled method for a
// fault: it reports false also where the rule of a service without a descriptor
// would apply to any method.
func (d Adapter) HasMethodRule(procedure string) bool {
	table := d.present().table
	return table.Lookup(procedure) != nil && table.HasMethod(procedure)
}

// HasServiceRule is HasRule for the rule of a service as a whole, which guards
// plain HTTP handlers.
func (d Adapter) HasServiceRule(service string) bool {
	return d.present().table.LookupService(service) != nil
}

// NeedsMessage reports whether the rule of a procedure can be met only where the message of
// the call is known, see [Request].Message.
func (d Adapter) NeedsMessage(procedure string) bool {
	requirement := d.present().table.Lookup(procedure)
	return requirement != nil && requirement.NeedsMessage()
}

// KnowsService reports whether the policy names a service or a descriptor of it
// is linked into the program.
func (d Adapter) KnowsService(service string) bool {
	if d.present().table.HasService(service) {
		return true
	}
	if !rpc.ValidService(service) {
		return false
	}
	found, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(service))
	_, isService := found.(protoreflect.ServiceDescriptor)
	return err == nil && isService
}

// OwnsOrigin reports whether origin, as a browser writes it into the Origin field
// (RFC 6454 §6.2), is that of one of the base URLs of the resources.
func (d Adapter) OwnsOrigin(origin string) bool {
	return d.present().directory.OwnsOrigin(origin)
}

// OwnsHost reports whether host, a value of the Host field, is that of one of the
// base URLs of the resources. The port does not matter, because routers ignore
// it.
func (d Adapter) OwnsHost(host string) bool {
	return d.present().directory.OwnsHost(host)
}

// MetadataURL returns the URL of the metadata document of the resource that the
// request belongs to, which a challenge names. If no resource covers its path,
// that is the first one.
func (d Adapter) MetadataURL(ctx context.Context, req *Request) string {
	s := d.stateOf(ctx)
	located := req.located()
	address := s.directory.Locate(ctx, &located)
	if address == nil {
		address = s.directory.Addresses()[0]
	}
	return address.MetadataURL
}

// Mount returns the mount path of the resource that the request belongs to, without
// a slash at the end: the part of the request's path that is not the procedure's.
func (d Adapter) Mount(ctx context.Context, req *Request) string {
	located := req.located()
	address := d.stateOf(ctx).directory.Locate(ctx, &located)
	if address == nil {
		return ""
	}
	return address.Resource.Mount()
}

// stateOf returns the configuration that the call of ctx is bound to.
func (d Adapter) stateOf(ctx context.Context) *state {
	if caller := d.Caller(ctx); caller != nil {
		return caller.at.state
	}
	return d.present()
}

// present returns the configuration of d for questions that belong to no call.
func (d Adapter) present() *state {
	if d.pinned != nil {
		return d.pinned
	}
	return d.authorizer.state.Load()
}
