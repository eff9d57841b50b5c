package authtest

import "testing"

// TestMemory: a memory forgets its oldest key, and no other.
func TestMemory(t *testing.T) {
	t.Parallel()
	m := newMemory[int](2)
	for n, step := range []struct {
		key           string
		isNew         bool
		known, absent string
	}{
		{"a", true, "a", "bcd"},
		{"a", false, "a", "bcd"},
		{"b", true, "ab", "cd"},
		{"c", true, "bc", "ad"},
		{"b", false, "bc", "ad"},
		{"d", true, "cd", "ab"},
		{"a", true, "da", "bc"},
	} {
		if got := m.put(step.key, n); got != step.isNew {
			t.Errorf("step %d: put reports %t", n, got)
		}
		for _, key := range step.known {
			if _, ok := m.get(string(key)); !ok {
				t.Errorf("step %d: %c is forgotten", n, key)
			}
		}
		for _, key := range step.absent {
			if got, ok := m.get(string(key)); ok {
				t.Errorf("step %d: %c is %d", n, key, got)
			}
		}
	}
	if got, _ := m.get("d"); got != 5 || len(m.values) != 2 {
		t.Errorf("d is %d, and %d keys are known", got, len(m.values))
	}
}
