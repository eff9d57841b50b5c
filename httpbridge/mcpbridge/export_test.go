package mcpbridge

// UserID returns the owner of a session.
var UserID = userID

// GuardedServers returns the number of servers that have a guard.
func GuardedServers() int {
	guards.mu.Lock()
	defer guards.mu.Unlock()
	return len(guards.byServer)
}

// OpenCalls returns the number of HTTP requests that g remembers.
func (g *Guard) OpenCalls() (open int) {
	g.calls.byID.Range(func(any, any) bool {
		open++
		return true
	})
	return open
}
