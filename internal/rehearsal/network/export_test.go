package network

// HostNames returns the hosts that the network answers as.
func (n *Network) HostNames() []string { return n.hosts.names() }

// Servers returns the number of servers that the network started.
func (n *Network) Servers() int { return len(n.started()) }
