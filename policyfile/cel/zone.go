package cel

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"cel.dev/cel-go/common/overloads"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/interpreter"
)

// zoned are the functions that take a time zone. Its name leads to a file.
var zoned = []string{
	overloads.TimeGetFullYear, overloads.TimeGetMonth, overloads.TimeGetDayOfYear, overloads.TimeGetDayOfMonth,
	overloads.TimeGetDate, overloads.TimeGetDayOfWeek, overloads.TimeGetHours, overloads.TimeGetMinutes,
	overloads.TimeGetSeconds, overloads.TimeGetMilliseconds,
}

var errNoZone = errors.New("there is no such time zone")

// zoneOf returns the time zone with a name, or an offset such as -02:00.
func zoneOf(name string) (*time.Location, error) {
	hours, minutes, isOffset := strings.Cut(name, ":")
	if !isOffset {
		zone, err := time.LoadLocation(name)
		if err != nil {
			return nil, errNoZone
		}
		return zone, nil
	}
	h, noHours := strconv.Atoi(hours)
	m, noMinutes := strconv.Atoi(minutes)
	if noHours != nil || noMinutes != nil || h < -23 || h > 23 || m < 0 || m > 59 {
		return nil, errNoZone
	}
	if strings.HasPrefix(hours, "-") {
		m = -m
	}
	return time.FixedZone("", (h*60+m)*60), nil
}

// A zonedCall is a step of a program that asks a time for a part in a time zone, which is
// loaded when the condition is compiled.
type zonedCall struct {
	call interpreter.InterpretableCall
	time interpreter.InterpretableV2
	zone *time.Location
}

// newZonedCall returns what replaces a call, or nil if the call has no time zone.
func newZonedCall(call interpreter.InterpretableCall) *zonedCall {
	if len(call.Args()) != 2 || !slices.Contains(zoned, call.Function()) {
		return nil
	}
	zone, _ := zoneOf(constant(call.Args()[1])) // A restriction has reported the error.
	return &zonedCall{call: call, time: call.Args()[0], zone: zone}
}

// ID implements interpreter.Interpretable.
func (c *zonedCall) ID() int64 { return c.call.ID() }

// Exec implements interpreter.InterpretableV2.
func (c *zonedCall) Exec(frame *interpreter.ExecutionFrame) ref.Val {
	value := c.time.Exec(frame)
	if types.IsUnknownOrError(value) {
		return types.LabelErrNode(c.call.ID(), value)
	}
	instant, ok := value.(types.Timestamp)
	if !ok {
		return types.NewErrWithNodeID(c.call.ID(), "no such overload")
	}
	b := newBill(frame, 1)
	b.units = 1
	b.pay(c.call.ID())
	return types.Timestamp{Time: instant.In(c.zone)}.Receive(c.call.Function(), "", nil)
}

// Eval implements interpreter.Interpretable.
func (c *zonedCall) Eval(a interpreter.Activation) ref.Val {
	return interpreter.EvalActivation(a, c.Exec)
}
