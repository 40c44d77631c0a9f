package broker

import (
	"bytes"
	"strings"

	"github.com/keysake/keysake/internal/catalog"
)

// usage reads how many tokens an answer says that it took, in JSON or in events, at the names that
// the catalog has for them. Events repeat some of them: the largest number counts.
type usage struct {
	names [2][][]byte // of what went in, and of what came out
	most  [2]int64
	tail  []byte // the end of what came, where a number may begin
}

func newUsage(u catalog.Usage) (n usage) {
	for i, pointers := range [][]string{u.Input, u.Output} {
		for _, p := range pointers {
			name := p[strings.LastIndexByte(p, '/')+1:]
			n.names[i] = append(n.names[i], []byte(`"`+name+`"`))
		}
	}
	return n
}

// maxNumber is more than a name with its number takes.
const maxNumber = 64

func (u *usage) feed(p []byte) {
	if len(u.names[0])+len(u.names[1]) == 0 || len(p) == 0 {
		return
	}
	u.tail = append(u.tail, p[:min(len(p), maxNumber)]...)
	u.scan(u.tail)
	u.scan(p)
	if len(p) >= maxNumber {
		u.tail = append(u.tail[:0], p[len(p)-maxNumber:]...)
	} else if extra := len(u.tail) - maxNumber; extra > 0 {
		u.tail = append(u.tail[:0], u.tail[extra:]...)
	}
}

func (u *usage) scan(text []byte) {
	for i, names := range u.names {
		for _, name := range names {
			p := text
			for {
				_, rest, found := bytes.Cut(p, name)
				if !found {
					break
				}
				if n, ok := number(rest); ok {
					u.most[i] = max(u.most[i], n)
				}
				p = rest
			}
		}
	}
}

// number reads what stands after a name: a colon, and a number that has ended.
func number(p []byte) (n int64, ok bool) {
	p = bytes.TrimLeft(p, " ")
	if len(p) == 0 || p[0] != ':' {
		return 0, false
	}
	p = bytes.TrimLeft(p[1:], " ")
	for i, c := range p {
		if c < '0' || c > '9' {
			return n, i > 0
		}
		if n = n*10 + int64(c-'0'); n > 1<<40 {
			return 0, false
		}
	}
	return 0, false
}

// tokens returns the sum of what went in and came out.
func (u *usage) tokens() int64 { return u.most[0] + u.most[1] }
