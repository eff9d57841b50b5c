package authzen_test

import (
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
	_ "google.golang.org/protobuf/types/known/anypb" // for bank.proto
	_ "google.golang.org/protobuf/types/known/durationpb"
	_ "google.golang.org/protobuf/types/known/structpb"
	_ "google.golang.org/protobuf/types/known/timestamppb"
	_ "google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/drawbridge-rpc/drawbridge/policy"
	"github.com/drawbridge-rpc/drawbridge/policy/authzen"
	"github.com/drawbridge-rpc/drawbridge/token"
)

// newPoint returns a DecisionPoint that asks p, and whose configuration may be changed.
func newPoint(tb testing.TB, p *pdp, change ...func(*authzen.Config)) *authzen.DecisionPoint {
	tb.Helper()
	config := authzen.Config{URL: p.URL, Logger: slog.New(slog.DiscardHandler)}
	for _, f := range change {
		f(&config)
	}
	point, err := authzen.New(config)
	if err != nil {
		tb.Fatal(err)
	}
	return point
}

// condition compiles a question for the messages of bank.proto.
func condition(tb testing.TB, point *authzen.DecisionPoint, q policy.Question) policy.Condition {
	tb.Helper()
	compiled, err := point.CompileQuestion(q, target(bank(tb)))
	if err != nil {
		tb.Fatal(err)
	}
	return compiled
}

func target(request protoreflect.MessageDescriptor) policy.Target {
	return policy.Target{Service: "bank.v1.Bank", Method: "Pay", Request: request}
}

// about is a question about an account.
func about(id string) policy.Question {
	return policy.Question{Resource: policy.Entity{Type: "account", ID: id}}
}

// ada is a call of a user.
func ada(message proto.Message) policy.Input {
	return policy.Input{
		Info:      &token.Info{Issuer: "https://login.example.com", Subject: "ada", ClientID: "app", Party: token.PartyUser},
		Procedure: "/bank.v1.Bank/Pay", Message: message,
	}
}

// The outcomes of a question.
const (
	met         = "met"
	notMet      = "not met"
	failed      = "not met, with an error"
	unavailable = "unavailable"
)

func outcome(allowed bool, err error) string {
	switch {
	case allowed && err != nil:
		return "allowed with an error"
	case errors.Is(err, token.ErrUnavailable):
		return unavailable
	case err != nil:
		return failed
	case allowed:
		return met
	default:
		return notMet
	}
}

// bankFile describes messages with a field of each kind.
const bankFile = `
name: "bank/v1/bank.proto" package: "bank.v1" syntax: "proto3"
dependency: "google/protobuf/any.proto" dependency: "google/protobuf/duration.proto" dependency: "google/protobuf/struct.proto"
dependency: "google/protobuf/timestamp.proto" dependency: "google/protobuf/wrappers.proto"
enum_type { name: "Kind" value { name: "KIND_UNSPECIFIED" number: 0 } value { name: "GIRO" number: 1 } }
`

// bank returns the message PayRequest.
func bank(tb testing.TB) protoreflect.MessageDescriptor {
	tb.Helper()
	return newBank(tb, nil)
}

var cachedBank = sync.OnceValues(func() (protoreflect.FileDescriptor, error) {
	return protodesc.NewFile(bankProto(), protoregistry.GlobalFiles)
})

// newBank returns PayRequest of a version of its file that may be changed.
func newBank(tb testing.TB, change func(*descriptorpb.FileDescriptorProto)) protoreflect.MessageDescriptor {
	tb.Helper()
	described := bankProto()
	if change != nil {
		change(described)
	}
	file, err := cachedBank()
	if change != nil {
		file, err = protodesc.NewFile(described, protoregistry.GlobalFiles)
	}
	if err != nil {
		tb.Fatal(err)
	}
	return file.Messages().ByName("PayRequest")
}

func bankProto() *descriptorpb.FileDescriptorProto {
	file := new(descriptorpb.FileDescriptorProto)
	must(unmarshalText(bankFile, file))
	line := &descriptorpb.DescriptorProto{Name: new("Line")}
	addFields(line, "account_id:string", "amount:int64", "tags:string*", "next:.bank.v1.Line")
	request := &descriptorpb.DescriptorProto{Name: new("PayRequest")}
	addFields(request,
		"account_id:string", "note:string?", "flag:bool", "i32:int32", "i64:int64", "u32:uint32", "u64:uint64", "s64:sfixed64", "f32:float",
		"f64:double", "data:bytes", "kind:.bank.v1.Kind", "nothing:.google.protobuf.NullValue", "at:.google.protobuf.Timestamp",
		"for:.google.protobuf.Duration", "any:.google.protobuf.Any", "free:.google.protobuf.Struct", "maybe:.google.protobuf.StringValue",
		"line:.bank.v1.Line", "lines:.bank.v1.Line*", "ids:string*", "numbers:int64*", "kinds:.bank.v1.Kind*", "f32s:float*", "i64_set:int64?",
	)
	entry := &descriptorpb.DescriptorProto{Name: new("LabelsEntry"), Options: &descriptorpb.MessageOptions{MapEntry: new(true)}}
	addFields(entry, "key:string", "value:.bank.v1.Line")
	request.NestedType = append(request.NestedType, entry)
	addFields(request, "labels:.bank.v1.PayRequest.LabelsEntry*")
	file.MessageType = append(file.MessageType, line, request)
	return file
}

// addFields adds fields that are written name:type, with * for repeated and ? for optional.
func addFields(message *descriptorpb.DescriptorProto, fields ...string) {
	for _, written := range fields {
		name, kind, _ := strings.Cut(written, ":")
		field := &descriptorpb.FieldDescriptorProto{
			Name: new(name), Number: new(int32(len(message.GetField()) + 1)), Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum(),
		}
		if plain, isRepeated := strings.CutSuffix(kind, "*"); isRepeated {
			kind, field.Label = plain, descriptorpb.FieldDescriptorProto_LABEL_REPEATED.Enum()
		}
		if plain, isOptional := strings.CutSuffix(kind, "?"); isOptional {
			kind, field.Proto3Optional, field.OneofIndex = plain, new(true), new(int32(len(message.GetOneofDecl())))
			message.OneofDecl = append(message.OneofDecl, &descriptorpb.OneofDescriptorProto{Name: new("_" + name)})
		}
		if strings.HasPrefix(kind, ".") {
			field.TypeName = &kind
		} else {
			field.Type = descriptorpb.FieldDescriptorProto_Type(descriptorpb.FieldDescriptorProto_Type_value["TYPE_"+strings.ToUpper(kind)]).Enum()
		}
		message.Field = append(message.Field, field)
	}
}

// pay returns a PayRequest from its text form.
func pay(tb testing.TB, text string) proto.Message {
	tb.Helper()
	message := dynamicpb.NewMessage(bank(tb))
	if err := unmarshalText(text, message); err != nil {
		tb.Fatal(err)
	}
	return message
}

// A clock stands until it is moved.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// A recorder keeps what is logged.
type recorder struct {
	mu   sync.Mutex
	text strings.Builder
}

func (r *recorder) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(p)
}

func (r *recorder) logger() *slog.Logger { return slog.New(slog.NewTextHandler(r, nil)) }

// lines returns the messages of the records, and forgets them.
func (r *recorder) lines() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	text := strings.TrimSuffix(r.text.String(), "\n")
	r.text.Reset()
	if text == "" {
		return nil
	}
	return strings.Split(text, "\n")
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func newPointAt(p *pdp, now *clock) (*authzen.DecisionPoint, error) {
	return authzen.NewAt(authzen.Config{URL: p.URL, Logger: slog.New(slog.DiscardHandler)}, now.Now)
}
