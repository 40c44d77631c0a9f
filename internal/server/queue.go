package server

import "container/list"

// A queue has connections: those that wait for a request, the oldest first, then a mark, then those
// that work. One that begins to wait or to work is moved, which allocates nothing.
type queue struct {
	list.List
	mark *list.Element
}

func newQueue() *queue {
	q := &queue{}
	q.mark = q.PushBack(nil)
	return q
}

// add takes in a connection that waits.
func (q *queue) add(c *connection) *list.Element { return q.InsertBefore(c, q.mark) }

// turn moves a connection to those that wait or to those that work.
func (q *queue) turn(e *list.Element, waits bool) {
	if waits {
		q.MoveBefore(e, q.mark)
	} else {
		q.MoveToBack(e)
	}
}

// oldest returns the connection that waits for longest, nil if none waits.
func (q *queue) oldest() *connection {
	c, _ := q.Front().Value.(*connection)
	return c
}

// size returns how many connections there are.
func (q *queue) size() int { return q.Len() - 1 }
