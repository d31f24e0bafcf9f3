package network

import (
	"net"
	"sync"
)

// connection is one connection of a client, from accept to close. http.Server forgets hijacked
// connections, and may miss one that it accepts while it closes. These are all tracked, so Down
// and Close reach every one.
type connection struct {
	net.Conn
	set  *connections
	host string // "" until the client has asked for a host
	read []byte // bytes that the proxy has read ahead
}

func (c *connection) Read(p []byte) (int, error) {
	if len(c.read) == 0 {
		return c.Conn.Read(p)
	}
	n := copy(p, c.read)
	c.read = c.read[n:]
	return n, nil
}

func (c *connection) Close() error {
	c.set.forget(c)
	return c.Conn.Close()
}

// reset closes the connection with a TCP reset.
func (c *connection) reset() {
	if tcp, ok := c.Conn.(*net.TCPConn); ok {
		tcp.SetLinger(0) // best effort: on an error the peer sees EOF
	}
	c.Conn.Close()
}

// connections tracks the connections, the hosts that are down, and the requests in progress.
type connections struct {
	mu       sync.Mutex
	open     map[*connection]struct{}
	dead     map[string]bool // hosts that are down
	closed   bool
	handling sync.WaitGroup
}

func newConnections() *connections {
	return &connections{open: map[*connection]struct{}{}, dead: map[string]bool{}}
}

func (s *connections) add(c net.Conn) *connection {
	s.mu.Lock()
	defer s.mu.Unlock()
	conn := &connection{Conn: c, set: s}
	if s.closed {
		c.Close()
	}
	s.open[conn] = struct{}{}
	return conn
}

func (s *connections) forget(c *connection) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, c)
}

// assign records the host of a connection. It reports false if the host is down.
func (s *connections) assign(c *connection, host string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dead[host] {
		return false
	}
	c.host = host
	return true
}

func (s *connections) isDown(host string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dead[host]
}

func (s *connections) down(host string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dead[host] = true
	for c := range s.open {
		if c.host == host {
			c.reset()
		}
	}
}

func (s *connections) up(host string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.dead, host)
}

// enter counts a request, and must be followed by leave. It reports false after closeAll.
func (s *connections) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.handling.Add(1)
	return true
}

func (s *connections) leave() { s.handling.Done() }

func (s *connections) closeAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for c := range s.open {
		c.reset()
	}
}

func (s *connections) wait() { s.handling.Wait() }

// tracked is a listener that tracks its connections.
type tracked struct {
	net.Listener
	set *connections
}

func (t tracked) Accept() (net.Conn, error) {
	c, err := t.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return t.set.add(c), nil
}

// inbox is the listener of a host's server. It accepts the connections that the proxy gives it.
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

// give passes a connection to the server, or closes it if the server has stopped.
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
