package source

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"
)

// Request decodes the message of a unary method from JSON.
func (s *Source) Request(service, method string, data []byte) (proto.Message, error) {
	described := s.Service(service)
	if described == nil {
		return nil, fmt.Errorf("service %s has no descriptor to decode the message with", service)
	}
	found := described.descriptor.Methods().ByName(protoreflect.Name(method))
	switch {
	case found == nil:
		return nil, fmt.Errorf("service %s has no method %s", service, method)
	case kindOf(found) != Unary:
		return nil, errors.New("a rule of a stream is judged without a message")
	}
	message := dynamicpb.NewMessage(found.Input())
	if err := protojson.Unmarshal(data, message); err != nil {
		return nil, fmt.Errorf("is no %s: %w", found.Input().FullName(), strip(err))
	}
	return message, nil
}
