package world

import (
	"net"
	"sync"
)

// line is one connection of a client, from the accept at the proxy to its end. http.Server
// forgets a connection that was hijacked, and may miss one that is accepted while it closes;
// here none is lost, so a dead host is dead and a closed world holds nothing.
type line struct {
	net.Conn
	set  *lines
	host string // "" until the client has said whom it wants
	read []byte // what the proxy had read ahead
}

func (l *line) Read(p []byte) (int, error) {
	if len(l.read) == 0 {
		return l.Conn.Read(p)
	}
	n := copy(p, l.read)
	l.read = l.read[n:]
	return n, nil
}

func (l *line) Close() error {
	l.set.forget(l)
	return l.Conn.Close()
}

// reset closes so that the peer sees "connection reset" and no orderly end.
func (l *line) reset() {
	if tcp, ok := l.Conn.(*net.TCPConn); ok {
		tcp.SetLinger(0) // best effort: without it the peer still sees an early end
	}
	l.Conn.Close()
}

// lines holds all connections, which hosts are down, and how many requests are being handled.
type lines struct {
	mu       sync.Mutex
	open     map[*line]struct{}
	dead     map[string]bool
	closed   bool
	handling sync.WaitGroup
}

func newLines() *lines {
	return &lines{open: map[*line]struct{}{}, dead: map[string]bool{}}
}

func (s *lines) add(c net.Conn) *line {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := &line{Conn: c, set: s}
	if s.closed {
		c.Close()
	}
	s.open[l] = struct{}{}
	return l
}

func (s *lines) forget(l *line) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, l)
}

// connect gives the line to host, unless that is down.
func (s *lines) connect(l *line, host string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dead[host] {
		return false
	}
	l.host = host
	return true
}

func (s *lines) isDown(host string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dead[host]
}

func (s *lines) down(host string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dead[host] = true
	for l := range s.open {
		if l.host == host {
			l.reset()
		}
	}
}

func (s *lines) up(host string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.dead, host)
}

// enter counts a request in; leave must follow if it says true.
func (s *lines) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.handling.Add(1)
	return true
}

func (s *lines) leave() { s.handling.Done() }

func (s *lines) shut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for l := range s.open {
		l.reset()
	}
}

func (s *lines) wait() { s.handling.Wait() }

// tracked is a listener whose connections are lines.
type tracked struct {
	net.Listener
	set *lines
}

func (t tracked) Accept() (net.Conn, error) {
	c, err := t.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return t.set.add(c), nil
}

// inbox is the listener of a host's server: it accepts what the proxy hands over.
type inbox struct {
	addr  net.Addr
	given chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newInbox(addr net.Addr) *inbox {
	return &inbox{addr: addr, given: make(chan net.Conn), done: make(chan struct{})}
}

func (i *inbox) Accept() (net.Conn, error) {
	select {
	case c := <-i.given:
		return c, nil
	case <-i.done:
		return nil, net.ErrClosed
	}
}

// give hands a connection over, or closes it if nobody listens any more.
func (i *inbox) give(c net.Conn) {
	select {
	case i.given <- c:
	case <-i.done:
		c.Close()
	}
}

func (i *inbox) Close() error {
	i.once.Do(func() { close(i.done) })
	return nil
}

func (i *inbox) Addr() net.Addr { return i.addr }
