package authzen

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/drawbridge-rpc/drawbridge/policy"
	"github.com/drawbridge-rpc/drawbridge/token"
)

// maxQuestion bounds a request, in bytes.
const maxQuestion = 64 << 10

// The reasons why a call cannot be asked about. They are no outages: the same call would fail
// again.
var (
	errNoToken    = errors.New("there is no token")
	errNoMessage  = errors.New("there is no message")
	errNoMethod   = errors.New("the call names no method; set the Action of the question")
	errParty      = errors.New("it cannot be told whether the token speaks for a user or for a client; set the Subject of the question")
	errNoElements = errors.New("the list is empty, so that it names nothing that could be allowed")
	errTooLong    = fmt.Errorf("it is longer than %d bytes", maxQuestion)
)

// A draft is a request that is being written about a call. The same question about the same
// call gives the same bytes.
type draft struct {
	in       policy.Input
	message  protoreflect.Message
	body     []byte
	elements int // of the list
}

// reset makes d ready for another request.
func (d *draft) reset() {
	body := d.body[:0]
	if cap(body) > maxQuestion {
		body = nil
	}
	*d = draft{body: body}
}

// write writes the request about a call (AuthZEN §6.1, §7.1). A list has at most maxElements
// elements.
func (d *draft) write(t *template, in policy.Input, maxElements int) error {
	if in.Info == nil {
		return errNoToken
	}
	d.in = in
	if t.readsMessage {
		if in.Message == nil || !in.Message.ProtoReflect().IsValid() {
			return errNoMessage
		}
		if d.message = in.Message.ProtoReflect(); d.message.Descriptor().FullName() != t.request.FullName() {
			return errMessage
		}
	}
	d.raw(`{"subject":`)
	if err := d.subject(&t.subject); err != nil {
		return err
	}
	d.raw(`,"action":{"name":`)
	if err := d.action(t.action); err != nil {
		return err
	}
	d.raw(`}`)
	if len(t.context) > 0 {
		d.raw(`,"context":`)
		if err := d.object(t.context); err != nil {
			return err
		}
	}
	if err := d.resources(t, maxElements); err != nil {
		return err
	}
	d.raw(`}`)
	if len(d.body) > maxQuestion {
		return errTooLong
	}
	return nil
}

func (d *draft) raw(text string) { d.body = append(d.body, text...) }

// subject writes the subject: that of the question, or that of the token.
func (d *draft) subject(e *entity) error {
	if e.id != nil {
		return d.entity(e, e.id.appendID)
	}
	id := d.in.Info.Subject
	whole := entity{kind: `"user"`, path: "token.sub", properties: e.properties}
	switch d.in.Info.Party {
	case token.PartyUser:
	case token.PartyClient:
		id, whole.kind, whole.path = d.in.Info.ClientID, `"client"`, "token.client_id"
	default:
		return errParty
	}
	return d.entity(&whole, func(b []byte, _ *draft) ([]byte, error) { return appendIDText(b, id) })
}

func (d *draft) action(name string) error {
	if name != "" {
		d.raw(name)
		return nil
	}
	method := methodOf(&d.in)
	if method == "" {
		return errNoMethod
	}
	d.raw(`"` + method + `"`) // An identifier.
	return nil
}

// resources writes the resource, or a question for each element of the list.
func (d *draft) resources(t *template, maxElements int) error {
	if t.list == nil {
		d.raw(`,"resource":`)
		return d.entity(&t.resource, t.resource.id.appendID)
	}
	d.raw(`,"evaluations":[`)
	err := t.list.eachID(d, func(appendID func(b []byte, d *draft) ([]byte, error)) error {
		switch d.elements++; {
		case d.elements > maxElements:
			return fmt.Errorf("%s: the list has more than %d elements", t.resource.path, maxElements)
		case len(d.body) > maxQuestion:
			return errTooLong
		case d.elements > 1:
			d.raw(`,`)
		}
		d.raw(`{"resource":`)
		if err := d.entity(&t.resource, appendID); err != nil {
			return err
		}
		d.raw(`}`)
		return nil
	})
	if err != nil {
		return err
	}
	if d.elements == 0 {
		// The PDP would take it for one question (AuthZEN §7.1), and servers often take it
		// for everything.
		return fmt.Errorf("%s: %w", t.resource.path, errNoElements)
	}
	d.raw(`],"options":{"evaluations_semantic":"deny_on_first_deny"}`)
	return nil
}

func (d *draft) entity(e *entity, appendID func(b []byte, d *draft) ([]byte, error)) (err error) {
	d.raw(`{"type":`)
	d.raw(e.kind)
	d.raw(`,"id":`)
	if d.body, err = appendID(d.body, d); err != nil {
		return fmt.Errorf("%s: %w", e.path, err)
	}
	if len(e.properties) > 0 {
		d.raw(`,"properties":`)
		if err := d.object(e.properties); err != nil {
			return err
		}
	}
	d.raw(`}`)
	return nil
}

// object writes an object of the properties that the call has (AuthZEN §11.5 leaves out the
// others, in place of null).
func (d *draft) object(properties []property) error {
	separator := "{"
	for i := range properties {
		p := &properties[i]
		before := len(d.body)
		d.raw(separator)
		d.raw(p.name)
		body, ok, err := p.value.appendJSON(d.body, d)
		switch {
		case err != nil:
			return fmt.Errorf("%s: %w", p.path, err)
		case !ok:
			d.body = d.body[:before]
			continue
		}
		d.body, separator = body, ","
	}
	if separator == "{" {
		d.raw("{")
	}
	d.raw("}")
	return nil
}
