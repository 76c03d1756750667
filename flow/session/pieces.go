package session

// pieces are bytes that arrived one after the other, kept as they came: what
// is large is not copied, what is small is put together.
type pieces [][]byte

// smallPiece is up to how many bytes are worth a copy.
const smallPiece = 2 << 10

// add appends data, which belongs to the pieces from now on. What was there
// before does not change, so that a copy of the slice of pieces stays good.
func (p *pieces) add(data []byte) {
	n := len(data)
	if n == 0 {
		return
	}
	if last := len(*p) - 1; last >= 0 && n <= smallPiece {
		if room := (*p)[last]; cap(room)-len(room) >= n {
			(*p)[last] = append(room, data...)
			return
		}
		data = append(make([]byte, 0, 2*smallPiece), data...)
	} else {
		data = data[:n:n]
	}
	*p = append(*p, data)
}

func (p pieces) size() (n int) {
	for _, b := range p {
		n += len(b)
	}
	return n
}

// cut takes the first n bytes, or all if there are fewer.
func (p *pieces) cut(n int) (front pieces) {
	for i, b := range *p {
		if len(b) >= n {
			front = append(front, (*p)[:i]...)
			front = append(front, b[:n:n])
			rest := append(pieces(nil), (*p)[i:]...)
			if rest[0] = b[n:]; len(rest[0]) == 0 {
				rest = rest[1:]
			}
			*p = rest
			return front
		}
		n -= len(b)
	}
	front, *p = *p, nil
	return front
}

// join appends all to b.
func (p pieces) join(b []byte) []byte {
	for _, piece := range p {
		b = append(b, piece...)
	}
	return b
}
