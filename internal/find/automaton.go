package find

// automaton finds every occurrence of many words in one pass over a text, with the
// algorithm of Aho and Corasick (CACM 18, 1975). It ignores case, and treats '-', '_'
// and a blank as equal, because people write one name in all these ways. A form that
// needs an exact match compares the text of the hit.
type automaton struct {
	class   [256]uint32 // byte → column of the table
	columns uint32
	next    []uint32 // row + column → row
	ends    [][]int  // row / columns → the words that end there
	lengths []int
}

// fold returns the byte that represents b in the automaton.
func fold(b byte) byte {
	switch {
	case 'A' <= b && b <= 'Z':
		return b + 'a' - 'A'
	case b == '_' || b == ' ':
		return '-'
	}
	return b
}

func newAutomaton(words []string) *automaton {
	a := &automaton{columns: 1} // column 0: bytes that are in no word
	rows := 1
	for _, word := range words {
		rows += len(word)
		a.lengths = append(a.lengths, len(word))
		for i := range len(word) {
			if b := fold(word[i]); a.class[b] == 0 {
				a.class[b] = a.columns
				a.columns++
			}
		}
	}
	for b := range 256 {
		a.class[b] = a.class[fold(byte(b))]
	}
	a.next = make([]uint32, 0, rows*int(a.columns)) // at most, because words share prefixes
	a.grow()
	for i, word := range words {
		a.add(i, word)
	}
	a.link()
	a.mark()
	return a
}

// grow adds a row and returns its offset.
func (a *automaton) grow() uint32 {
	row := uint32(len(a.next))
	a.next = a.next[:row+a.columns]
	a.ends = append(a.ends, nil)
	return row
}

func (a *automaton) add(id int, word string) {
	row := uint32(0)
	for i := range len(word) {
		cell := row + a.class[word[i]]
		if a.next[cell] == 0 {
			to := a.grow()
			a.next[cell] = to
		}
		row = a.next[cell]
	}
	a.ends[row/a.columns] = append(a.ends[row/a.columns], id)
}

// link fills in the transitions for bytes that do not continue a word, breadth first.
// Then scanning never goes back in the text.
func (a *automaton) link() {
	fallback := make([]uint32, len(a.ends))
	var queue []uint32
	for column := range a.columns {
		if to := a.next[column]; to != 0 {
			queue = append(queue, to)
		}
	}
	for len(queue) > 0 {
		row := queue[0]
		queue = queue[1:]
		back := fallback[row/a.columns]
		a.ends[row/a.columns] = append(a.ends[row/a.columns], a.ends[back/a.columns]...)
		for column := range a.columns {
			cell := row + column
			if to := a.next[cell]; to != 0 {
				fallback[to/a.columns] = a.next[back+column]
				queue = append(queue, to)
			} else {
				a.next[cell] = a.next[back+column]
			}
		}
	}
}

// ended marks the transitions to a row where a word ends.
const ended = 1 << 31

// mark sets the marks, after all rows are linked.
func (a *automaton) mark() {
	for i, to := range a.next {
		if len(a.ends[to/a.columns]) > 0 {
			a.next[i] = to | ended
		}
	}
}

// scan calls hit for each occurrence of a word, ordered by their ends.
func (a *automaton) scan(data []byte, hit func(id, start, end int)) {
	next, class := a.next, &a.class
	row := uint32(0)
	for i, b := range data {
		row = next[row+class[b]]
		if row&ended == 0 {
			continue
		}
		row &^= ended
		for _, id := range a.ends[row/a.columns] {
			hit(id, i+1-a.lengths[id], i+1)
		}
	}
}
