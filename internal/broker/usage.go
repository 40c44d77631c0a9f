package broker

import (
	"bytes"
	"strings"

	"github.com/keysake/keysake/internal/catalog"
)

// usage reads how many tokens an answer says that it took, in JSON or in events, at the names that
// the catalog has for them. Events repeat some of them: the largest number counts.
type usage struct {
	names *usageNames
	most  [2]int64
	tail  [2 * maxNumber]byte // the end of what came, where a number may begin
	kept  int                 // of tail
}

// usageNames are those of what went in, and of what came out.
type usageNames [2][][]byte

func newUsageNames(u catalog.Usage) *usageNames {
	names := new(usageNames)
	for i, pointers := range [][]string{u.Input, u.Output} {
		for _, p := range pointers {
			name := p[strings.LastIndexByte(p, '/')+1:]
			names[i] = append(names[i], []byte(`"`+name+`"`))
		}
	}
	return names
}

// maxNumber is more than a name with its number takes.
const maxNumber = 64

func (u *usage) feed(p []byte) {
	if u.names == nil || len(u.names[0])+len(u.names[1]) == 0 || len(p) == 0 {
		return
	}
	u.kept += copy(u.tail[u.kept:], p[:min(len(p), maxNumber)])
	u.scan(u.tail[:u.kept])
	u.scan(p)
	if len(p) >= maxNumber {
		u.kept = copy(u.tail[:], p[len(p)-maxNumber:])
	} else if extra := u.kept - maxNumber; extra > 0 {
		u.kept = copy(u.tail[:], u.tail[extra:u.kept])
	}
}

// scan looks at what stands around each colon: there are fewer of them than of quotes.
func (u *usage) scan(text []byte) {
	for i := 0; ; i++ {
		next := bytes.IndexByte(text[i:], ':')
		if next < 0 {
			return
		}
		i += next
		n, ok := number(text[i+1:])
		if !ok {
			continue
		}
		before := bytes.TrimRight(text[:i], " ")
		for side, names := range u.names {
			for _, name := range names {
				if bytes.HasSuffix(before, name) {
					u.most[side] = max(u.most[side], n)
				}
			}
		}
	}
}

// number reads what stands after a colon: a number that has ended.
func number(p []byte) (n int64, ok bool) {
	p = bytes.TrimLeft(p, " ")
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
