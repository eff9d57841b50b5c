package authtest

// remembered is the number of opaque tokens, of revoked tokens and of used
// assertions that an Issuer remembers, each.
const remembered = 1 << 16

// A memory maps keys to values. It forgets the oldest key when it is full. It
// is not safe for concurrent use.
type memory[V any] struct {
	limit  int
	values map[string]V
	order  []string // a ring of the keys, once it is full
	oldest int
}

func newMemory[V any](limit int) *memory[V] {
	return &memory[V]{limit: limit, values: make(map[string]V)}
}

// put remembers a value. It does nothing and reports false if the key is known.
func (m *memory[V]) put(key string, value V) bool {
	if _, ok := m.values[key]; ok {
		return false
	}
	if len(m.order) < m.limit {
		m.order = append(m.order, key)
	} else {
		delete(m.values, m.order[m.oldest])
		m.order[m.oldest] = key
		m.oldest = (m.oldest + 1) % m.limit
	}
	m.values[key] = value
	return true
}

func (m *memory[V]) get(key string) (V, bool) {
	value, ok := m.values[key]
	return value, ok
}
