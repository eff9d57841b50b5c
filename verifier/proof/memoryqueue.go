package proof

// An expiryQueue is a binary heap of records. The one that expires first is at the
// front. It does without container/heap, which allocates memory for each record.
type expiryQueue []record

func (q *expiryQueue) push(r record) {
	h := append(*q, r)
	i := len(h) - 1
	for parent := (i - 1) / 2; i > 0 && r.until < h[parent].until; parent = (i - 1) / 2 {
		h[i] = h[parent]
		i = parent
	}
	h[i] = r
	*q = h
}

// pop removes the front of a queue that is not empty.
func (q *expiryQueue) pop() record {
	h := *q
	first, last := h[0], h[len(h)-1]
	h = h[:len(h)-1]
	i := 0
	for {
		child := 2*i + 1
		if child+1 < len(h) && h[child+1].until < h[child].until {
			child++
		}
		if child >= len(h) || last.until <= h[child].until {
			break
		}
		h[i] = h[child]
		i = child
	}
	if i < len(h) {
		h[i] = last
	}
	*q = h
	return first
}
