package connectauth_test

import (
	"bytes"
	"encoding/binary"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"
)

// framings are the content types of streams, with the flag of an envelope that
// ends one, 0 if none does.
var framings = []struct {
	contentType string
	end         byte
}{
	{"application/connect+proto", 2},
	{"application/grpc-web", 128},
	{"application/grpc", 0},
}

// split is a stream that a handler writes in pieces.
type split struct {
	data   []byte
	starts []int // of the envelopes, and the end of the last one
	end    int   // the envelope that ends the stream, -1 if none does
}

// newSplit makes a stream of envelopes with messages of the given lengths.
func newSplit(lengths []byte, end byte) split {
	s := split{end: -1}
	for i, length := range lengths {
		flags := byte(i & 1) // compressed or not
		if end != 0 && i == len(lengths)-1 {
			flags, s.end = flags|end, i
		}
		s.starts = append(s.starts, len(s.data))
		// The bytes of a message look like the flags of an end.
		s.data = append(s.data, envelope(flags, string(bytes.Repeat([]byte{end | 2}, int(length)*3)))...)
	}
	s.starts = append(s.starts, len(s.data))
	return s
}

// next returns the start of the envelope that follows the one at offset.
func (s split) next(offset int) int {
	for _, start := range s.starts {
		if start > offset {
			return start
		}
	}
	return len(s.data)
}

// write writes the stream in pieces, and lets the token expire before the first
// piece that begins at or behind expiry. As connect-go does, it gives an envelope
// up that is refused. It returns where the token expired.
func (s split) write(w http.ResponseWriter, cuts []byte, expiry int) (expired int) {
	expired = -1
	for offset, i := 0, 0; offset < len(s.data); i++ {
		if expired < 0 && offset >= expiry {
			time.Sleep(time.Second)
			expired = offset
		}
		size := len(s.data)
		if len(cuts) > 0 {
			size = 1 + int(cuts[i%len(cuts)])
		}
		n, err := w.Write(s.data[offset:min(offset+size, len(s.data))])
		offset += n
		if err != nil {
			offset = s.next(offset)
		}
	}
	return expired
}

// FuzzStreamExpiry: however a stream is split into writes, no message passes that
// begins after the token has expired, every other one does, and so does the end
// of the stream (R9068-4.b).
func FuzzStreamExpiry(f *testing.F) {
	f.Add([]byte{1, 2, 3}, []byte{4, 1}, uint16(8), uint8(0))
	f.Add([]byte{1, 2, 3}, []byte{0}, uint16(8), uint8(1))
	f.Add([]byte{0, 0, 0}, []byte{0}, uint16(3), uint8(2))
	f.Add([]byte{9, 0, 200, 7}, []byte{}, uint16(0), uint8(0))
	f.Add([]byte{9, 0, 200, 7}, []byte{31, 2}, uint16(40), uint8(1))
	f.Add([]byte{}, []byte{}, uint16(0), uint8(0))
	f.Add([]byte{1, 1}, []byte{7}, uint16(1), uint8(0))
	f.Add([]byte{2, 2, 2}, []byte{255}, uint16(1000), uint8(1))
	f.Fuzz(func(t *testing.T, lengths, cuts []byte, expiry uint16, kind uint8) {
		if len(lengths) > 64 {
			return
		}
		framing := framings[int(kind)%len(framings)]
		s := newSplit(lengths, framing.end)
		expired, res := -1, httptest.NewRecorder()
		synctest.Test(t, func(t *testing.T) {
			openStream(t, res, framing.contentType, http.NoBody, func(w http.ResponseWriter, _ *http.Request) {
				expired = s.write(w, cuts, int(expiry))
			})
		})
		var want []byte
		refused := false
		for i, start := range s.starts[:len(s.starts)-1] {
			late := expired >= 0 && start >= expired
			switch {
			case !late, i == s.end && !refused:
				want = append(want, s.data[start:s.starts[i+1]]...)
			case i != s.end:
				refused = true
			}
		}
		got := res.Body.Bytes()
		if !bytes.HasPrefix(got, want) {
			t.Fatalf("R9068-4.b: got %x, want %x (expired at %d)", got, want, expired)
		}
		checkRest(t, got[len(want):], refused && s.end >= 0, framing.end)
	})
}

// checkRest wants the denial at the end of a stream of which a message was
// refused, and nothing otherwise.
func checkRest(t *testing.T, rest []byte, refused bool, end byte) {
	t.Helper()
	if !refused {
		if len(rest) > 0 {
			t.Errorf("R9068-4.b: %x passed as well", rest)
		}
		return
	}
	if len(rest) < 5 || rest[0] != end || int(binary.BigEndian.Uint32(rest[1:])) != len(rest)-5 {
		t.Fatalf("R9068-4.c: the end is %x", rest)
	}
	denial := "unauthenticated"
	if end == 128 {
		denial = "grpc-status: 16\r\n"
	}
	if !bytes.Contains(rest, []byte(denial)) {
		t.Errorf("R9068-4.c: the end is %q", rest)
	}
}
